"""How much one request may bring, and in which form."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from flask import Request

from wabot.adapters.web.problems import Mistake, Refused

BODY_LIMIT = 256 * 1024
"""Bytes. What programs send, and Twilio, is a hundredth of it."""
FIELDS = 1000
"""Of a form. Twilio's webhooks have about thirty."""
NUL = "\0"


def raw_body(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body as it was sent. Raises 413 for one beyond the limit, however long it says to be."""
    request.max_content_length = limit
    body = request.get_data(parse_form_data=False)
    # One that doesn't say its length is cut off there, without a word.
    if request.content_length is None and len(body) >= limit:
        raise Refused(413, f"A body may have {limit} bytes.")
    return body


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in their order, blank and repeated ones too: a signature is made of all."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, "The body isn't UTF-8.", code="not_a_form") from None
    except ValueError:
        raise Refused(413, f"A form may have {FIELDS} fields.", code="too_many_fields") from None


def json_body(request: Request) -> bytes:
    """The body of a request that says that it is JSON."""
    if request.content_length != 0 and not request.is_json:
        raise Refused(415, "Send JSON, as application/json.", code="not_json")
    body = raw_body(request)
    # Text of PostgreSQL can't have it, so nothing may.
    if b"\\u0000" in body.replace(b"\\\\", b""):
        raise Refused(422, "Text may not have the character NUL.")
    return body


def plain_arguments(values: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What came in this place, path or query. Raises 422 where one has a NUL."""
    for name, value in values.items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and NUL in text for text in (name, *texts)):
            mistake = Mistake(
                where=f"{place}.{name.replace(NUL, '')[:60]}", message="Text may not have the character NUL"
            )
            raise Refused(422, "The request doesn't fit what is documented.", errors=[mistake])
    return dict(values)
