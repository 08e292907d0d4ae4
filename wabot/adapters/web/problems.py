"""Errors as the client sees them: problem details (RFC 9457), and never what is inside."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, g, has_request_context
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from wabot.core.log import describe, get_logger
from wabot.errors import NotFound, RecordError, Rejected, UnknownName

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"
CODES = {413: "too_large", 422: "invalid", 500: "internal", 503: "unavailable"}
"""Where the standard's title would make no good word for programs."""
_KEPT = ("Allow", "Retry-After", "WWW-Authenticate")


class Mistake(BaseModel):
    """One thing that is wrong with the request: where, and what."""

    where: str
    message: str


class Problem(BaseModel):
    """Problem details (RFC 9457). `code` is a stable word for programs, `request_id` what the log has too."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = ""
    code: str
    errors: list[Mistake] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)
    request_id: str = ""


class Refused(Exception):
    """The request ends here, with this problem."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        code: str = "",
        errors: Sequence[Mistake] = (),
        details: dict[str, Any] | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.status, self.detail, self.code = status, detail, code
        self.errors, self.details, self.headers = errors, details or {}, headers
        super().__init__(detail)

    @property
    def response(self) -> Response:
        title = HTTP_STATUS_CODES[self.status]
        problem = Problem(
            title=title,
            status=self.status,
            detail=self.detail,
            code=self.code or CODES.get(self.status) or title.lower().replace(" ", "_"),
            errors=list(self.errors),
            details=self.details,
            request_id=g.get("request_id", "") if has_request_context() else "",
        )
        made = Response(problem.model_dump_json(exclude_defaults=True), self.status, mimetype=MEDIA_TYPE)
        made.headers.extend(list(self.headers))
        return made


def answer(error: Exception) -> Response | HTTPException:
    """What the client is told of this error. One that nobody expected is logged, and told as a 500."""
    if isinstance(error, HTTPException):
        return _of_http(error)
    refused = refusal_of(error)
    if refused is None:
        get_logger().error("request failed", **describe(error))
        refused = Refused(500, "Something went wrong here. The log has more under this request's id.")
    elif refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        get_logger().error("request failed", **describe(error))
    return refused.response


def refusal_of(error: Exception) -> Refused | None:
    """What is known to be the client's to mend, or to pass; None for what only we can mend."""
    match error:
        case Refused():
            return error
        case NotFound() | UnknownName():
            return Refused(404, error.message)
        case Rejected():
            return Refused(422, error.message, code=error.code, details=error.details)
    return unavailable() if is_unavailable(error) else None


def invalid(error: ValidationError, place: str = "body") -> Refused:
    """Each finding with its place; what was sent is not repeated."""
    found = [
        Mistake(where=".".join([place, *map(str, each["loc"])]), message=each["msg"])
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Refused(422, "The request doesn't fit what is documented.", errors=found[:100])


def is_unavailable(error: Exception) -> bool:
    """Whether the database can't be used now: another time it can."""
    return isinstance(error, OperationalError | InterfaceError | NoConnection | RecordError) or (
        isinstance(error, SQLAlchemyError) and bool(getattr(error, "connection_invalidated", False))
    )


def unavailable() -> Refused:
    detail = "The database can't be used now. Try again."
    return Refused(503, detail, headers=[("Retry-After", RETRY_AFTER)])


def _of_http(error: HTTPException) -> Response | HTTPException:
    if error.response is not None or error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error
    headers = [(name, value) for name, value in error.get_headers() if name in _KEPT]
    # Its own `description` may say what isn't for everyone; the standard's is.
    detail = type(error).description or ""
    return Refused(error.code, detail, headers=headers).response
