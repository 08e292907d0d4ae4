"""What a flow says of an HTTP request, and what the settings say of all of them."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from wabot.core.durations import Duration

TIMEOUT = timedelta(seconds=10)

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")
_OURS = frozenset(
    {"accept-encoding", "connection", "content-length", "host", "keep-alive", "te", "trailer"}
    | {"expect", "proxy-authorization", "proxy-connection", "transfer-encoding", "upgrade"}
)


def is_header_value(value: str) -> bool:
    """Whether a header may have it: one line of Latin-1."""
    return _VALUE.fullmatch(value) is not None


def _header_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} can't name a header")
    if name.lower() in _OURS:
        raise ValueError(f"the header {name} is wabot's own to set")
    return name


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value.lower()):
        raise ValueError(f'"{value[:60]}" is no host: write it like crm.example.com or 127.0.0.1:8080')
    return value.lower()


class SecretName(BaseModel):
    """`{secret: crm_token}`: the value is in the settings, and no flow ever sees it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str


def _header_value(value: Any) -> str | SecretName:
    if isinstance(value, SecretName):
        return value
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, dict) and set(value) == {"secret"} and isinstance(value["secret"], str):
        return SecretName(secret=value["secret"])
    raise ValueError("a header is text, or {secret: <its name in the settings>}")


HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[Any, AfterValidator(_header_value)]


class HttpRequest(BaseModel):
    """The arguments of an `http` invoke. `timeout` is for all of it, redirects included."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    url: str = Field(min_length=1)
    method: Annotated[
        Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], BeforeValidator(_upper)
    ] = "GET"
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    query: dict[str, Any] = Field(default_factory=dict)
    json_: Any = Field(alias="json", default=None)
    body: str | None = None
    timeout: Annotated[Duration, Field(gt=timedelta(), json_schema_extra={"default": "10s"})] = TIMEOUT
    retry: bool | None = None

    @model_validator(mode="after")
    def _has_one_body(self) -> "HttpRequest":
        if self.has_json and self.body is not None:
            raise ValueError("give json or body, not both")
        if (self.has_json or self.body is not None) and self.method in ("GET", "HEAD"):
            raise ValueError(f"a {self.method} carries no body: add method: POST")
        return self

    @property
    def has_json(self) -> bool:
        return "json_" in self.model_fields_set

    @property
    def repeats(self) -> bool:
        """Whether it may be made again although it may have been done: by its method, or as `retry` says."""
        return self.method not in ("POST", "PATCH") if self.retry is None else self.retry


Host = Annotated[str, AfterValidator(_host)]


class HttpSecret(BaseModel):
    """`[http.secrets.<name>]`: a header's whole value (`Bearer …`), and the hosts that may get it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: SecretStr
    hosts: list[Host] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_a_header(self) -> "HttpSecret":
        if not self.value.get_secret_value() or not is_header_value(self.value.get_secret_value()):
            raise ValueError("the value of a secret is one line of text")
        return self


class HttpSettings(BaseModel):
    """`[http]`: what flows may ask of other servers.

    `allow` are hosts, with their port, that needn't be public. `ports` are those of public hosts.
    `timeout` is the longest one, `max_bytes` of an answer, `tries` of each request.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: list[Host] = Field(default_factory=list)
    ports: list[int] = Field(default_factory=lambda: [80, 443])
    secrets: dict[str, HttpSecret] = Field(default_factory=dict)
    timeout: Duration = timedelta(seconds=30)
    max_bytes: int = Field(default=256 * 1024, ge=1, le=16 * 1024 * 1024)
    redirects: int = Field(default=3, ge=0, le=10)
    tries: int = Field(default=4, ge=1, le=20)
