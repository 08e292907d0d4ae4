"""Who may do what over HTTP: keys with scopes, and nobody else."""

import ipaddress
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from flask import Request, Response, g

from wabot.adapters.web.problems import Refused
from wabot.core.doors import WebSettings
from wabot.core.log import get_logger
from wabot.errors import ConfigurationError
from wabot.runtime.keys import ADMIN, ApiKey, any_key, find_key, known_key

if TYPE_CHECKING:
    from wabot.app import App

View = TypeVar("View", bound=Callable[..., Any])

SCHEME = "key"
"""The name of the security scheme in the documentation."""
PUBLIC = ""
HERE = "dev"
"""Who asks without a key in dev mode."""

_SCOPE = re.compile(r"[a-z][a-z0-9_]*:(read|write)|admin")
_MARK = "wabot_scope"
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")
CACHE, POLICY = "Cache-Control", "Content-Security-Policy"
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    (CACHE, "no-store"),
    (POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_HSTS = ("Strict-Transport-Security", "max-age=31536000")


def require(scope: str) -> Callable[[View], View]:
    """Marks a route as one for keys with this scope. A route without a mark can't be added."""
    if not _SCOPE.fullmatch(scope):
        raise ConfigurationError(f'"{scope}" is no scope', hint="write it like orders:read")
    return _marked(scope)


def public(view: View) -> View:
    """Marks a route as one for everybody."""
    return _marked(PUBLIC)(view)


def scope_of(view: Callable[..., Any]) -> str:
    """The scope that this route asks for; empty where it is public. Raises ConfigurationError where it
    isn't marked."""
    scope = getattr(view, _MARK, None)
    if scope is None:
        raise ConfigurationError(
            f"{view.__module__}.{view.__qualname__} says not for whom it is",
            hint='put @require("orders:read") or @public under the route',
        )
    return str(scope)


def _marked(scope: str) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, _MARK, scope)
        return view

    return mark


class Guard:
    """Knows the app's keys, and lets in who has one."""

    def __init__(self, app: "App", settings: WebSettings) -> None:
        self._app = app
        self._loopback = settings.loopback
        self._dev = settings.dev and settings.loopback
        https = settings.public_url.startswith("https://")
        self._headers = [*_HEADERS, _HSTS] if https else [*_HEADERS]

    def may_start(self) -> None:
        """Raises ConfigurationError where there is no key, unless in dev mode, on this machine alone."""
        if not self._dev and not any_key(self._app.database):
            home = "" if self._loopback else "listen at 127.0.0.1 with "
            raise ConfigurationError(
                "the HTTP API has no key yet, so it doesn't start",
                hint=f"wabot keys new NAME --scope admin; or at home, {home}dev = true in [web]",
            )

    def check(self, request: Request, scope: str) -> None:
        """Let this request in. Raises Refused: 401 without a genuine key, 403 with one of other scopes."""
        g.key = who = self._who(request)
        if who is None:
            self._refuse(request, 401, "Send a key: Authorization: Bearer wabot_…", scope)
        elif not who.may(scope):
            self._refuse(request, 403, f"This key isn't for {scope}.", scope)

    def _who(self, request: Request) -> ApiKey | None:
        if "Authorization" in request.headers:
            return find_key(self._app.database, _secret(request))
        if self._dev and is_local(request) and not any_key(self._app.database):
            return ApiKey(HERE, HERE, frozenset({ADMIN}), self._app.clock.now(), None)
        return None

    def _refuse(self, request: Request, status: int, detail: str, scope: str) -> NoReturn:
        sent = g.key or known_key(self._app.database, _secret(request))
        prefix = sent.prefix if sent else None
        get_logger().warning("refused", status=status, endpoint=request.endpoint, scope=scope, key=prefix)
        challenge = 'Bearer realm="wabot"' + (
            f', error="insufficient_scope", scope="{scope}"' if g.key else ""
        )
        raise Refused(status, detail, headers=[("WWW-Authenticate", challenge)])

    def protect(self, response: Response) -> Response:
        """Add the headers that keep a browser from making something else of the answer, and the request's
        name."""
        headers = response.headers
        own = [name for name in (POLICY, CACHE) if name in headers]
        headers.extend([pair for pair in self._headers if pair[0] not in own])
        headers.add("X-Request-Id", g.request_id)
        return response


def _secret(request: Request) -> str:
    """What the request sends as its key; empty where it sends none."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def is_local(request: Request) -> bool:
    """Whether a program on this machine asks by itself: not a proxy or a tunnel for somebody else, and not
    a page of the web in a browser here."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return False
    host = request.host.rpartition(":")[0] if request.host.count(":") == 1 else request.host
    return _is_loopback(request.remote_addr or "") and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    address = address.partition("]")[0].removeprefix("[")
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
