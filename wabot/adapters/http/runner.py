"""An `http` invoke from its arguments to its result."""

import codecs
import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from email.message import Message as Headers
from typing import Any, Protocol
from urllib.parse import urlencode

from pydantic import ValidationError

from wabot.adapters.http.addresses import Resolver, system_resolver
from wabot.adapters.http.exchange import Deadline, Exchange, Message, Reply, Trouble, reach
from wabot.adapters.http.target import Target, parse, permit
from wabot.core.http import HttpRequest, HttpSettings, SecretName, is_header_value
from wabot.core.module import Outside
from wabot.core.money import Money
from wabot.errors import CircuitOpen, EffectError, TryAgain

DEPTH = 64
"""How deep an answer's JSON may be nested: flows walk it."""
MARGIN = timedelta(seconds=15)
"""What a lease is longer than the longest request."""
MASK = "***"

_REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_METHOD = (307, 308)
_PRIVATE = ("authorization", "cookie")
_ACCEPT = "application/json, text/*;q=0.9, */*;q=0.5"
_TOO_MANY = 429
_SERVER_ERROR = 500
_CHARSETS = ("utf-8", "utf-16", "ascii", "iso8859", "cp125", "koi8", "gb", "big5", "shift_jis", "euc")


class Breaker(Protocol):
    """What guards a host; `core.circuits` has some."""

    def call(
        self, circuit: str, function: Callable[[], Reply], *, ignore: Callable[[Exception], bool] = ...
    ) -> Reply:
        """`function()`, or CircuitOpen where the host has failed too often. An error counts against the
        host unless `ignore` says that it works."""
        ...


class Http:
    """Runs the `http` invokes of flows. It is a `runtime.effects.Runner`; any thread may use it.

    `resolver` and `exchange` are the network. With `breaker`, one circuit a host.
    """

    def __init__(
        self,
        settings: HttpSettings | None = None,
        *,
        resolver: Resolver = system_resolver,
        exchange: Exchange | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._settings = settings or HttpSettings()
        self._resolver = resolver
        self._exchange = exchange or Exchange(self._settings.max_bytes)
        self._breaker = breaker

    @property
    def lease(self) -> timedelta:
        return self._settings.timeout + MARGIN

    @property
    def tries(self) -> int:
        return self._settings.tries

    def repeats(self, arguments: Mapping[str, Any]) -> bool:
        return _read(arguments).repeats

    def run(self, arguments: Mapping[str, Any], outside: Outside) -> dict[str, Any]:
        """`{status, headers, body}` of an answer below 500 that isn't 429."""
        request = _read(arguments)
        seconds = min(request.timeout, self._settings.timeout).total_seconds()
        try:
            with Deadline(seconds) as deadline:
                reply = self._follow(request, outside.key, deadline)
        except Trouble as trouble:
            raise _failed(request, trouble.code, trouble.message, sent=trouble.sent) from trouble
        except CircuitOpen as error:
            raise _failed(request, "circuit", error.message, sent=False) from error
        if reply.status == _TOO_MANY or reply.status >= _SERVER_ERROR:
            raise _refused(request, reply)
        return self._result(request, reply)

    def _follow(self, request: HttpRequest, key: str, deadline: Deadline) -> Reply:
        """The answer, at the end of the redirects; each of them is held against the rules anew."""
        first = target = parse(_with_query(request))
        method, body, kind = request.method, *_body(request)
        for hop in range(self._settings.redirects + 1):
            addresses = self._addresses(target, None if hop == 0 else first, deadline)
            headers = self._headers(request, target, first, key, kind if body else "")
            reply = self._guarded(target, addresses, Message(method, headers, body), deadline)
            if reply.status not in _REDIRECTS or "location" not in reply.headers:
                return reply
            target = target.join(reply.headers["location"])
            if reply.status not in _KEEP_METHOD and method != "HEAD":
                method, body = "GET", None
        raise EffectError(f"more than {self._settings.redirects} redirects", code="redirects")

    def _addresses(self, target: Target, first: Target | None, deadline: Deadline) -> list[str]:
        allowed = permit(target, self._settings, first)
        return reach(target, self._resolver, deadline, anywhere=allowed)

    def _headers(
        self, request: HttpRequest, target: Target, first: Target, key: str, kind: str
    ) -> dict[str, str]:
        """Another server than the one asked gets no secret that isn't for it, and no one's login."""
        away = target.origin != first.origin
        given: dict[str, str] = {}
        for name, value in request.headers.items():
            if isinstance(value, SecretName):
                secret = self._secret(value.secret, target, away)
                if secret is not None:
                    given[name] = secret
            elif not (away and name.lower() in _PRIVATE):
                given[name] = _header(name, value)
        ours = {"User-Agent": "wabot", "Accept": _ACCEPT, "Idempotency-Key": key, "Content-Type": kind}
        theirs = set(map(str.lower, given))
        return {**{n: v for n, v in ours.items() if v and n.lower() not in theirs}, **given}

    def _secret(self, name: str, target: Target, away: bool) -> str | None:
        secret = self._settings.secrets.get(name)
        if secret is None:
            raise EffectError(f'the settings have no secret "{name}"', code="secret")
        private = target.in_list(self._settings.allow, self._settings.ports)
        if target.in_list(secret.hosts, self._settings.ports) and (target.scheme == "https" or private):
            return secret.value.get_secret_value()
        if away:
            return None
        raise EffectError(f'the secret "{name}" is not for this host, or not without https', code="secret")

    def _guarded(self, target: Target, addresses: list[str], message: Message, deadline: Deadline) -> Reply:
        def call() -> Reply:
            reply = self._exchange.run(target, addresses, message, deadline)
            if reply.status >= _SERVER_ERROR:
                raise _Down(reply)
            return reply

        try:
            if self._breaker is None:
                return call()
            return self._breaker.call(f"http:{target.authority}", call, ignore=_answered)
        except _Down as error:
            return error.reply

    def _result(self, request: HttpRequest, reply: Reply) -> dict[str, Any]:
        masked = self._masked(request)
        kind, charset = _content(reply.headers.get("content-type", ""))
        text = _decoded(reply.body, charset)
        return {
            "status": reply.status,
            "headers": masked(reply.headers),
            "body": masked(_json(text) if kind.endswith(("/json", "+json")) else text),
        }

    def _masked(self, request: HttpRequest) -> "Masked":
        used = [value.secret for value in request.headers.values() if isinstance(value, SecretName)]
        return Masked([self._settings.secrets[name].value.get_secret_value() for name in used])


class Masked:
    """Takes secrets out of what a server sends back: the value, and a token after `Bearer`."""

    def __init__(self, secrets: list[str]) -> None:
        words = {word for secret in secrets for word in (secret, *secret.split(" ")[1:])}
        self._words = sorted(filter(None, words), key=len, reverse=True)

    def __call__(self, value: Any) -> Any:
        """`value`, plain data, with each secret in a text or a key of it masked."""
        if not self._words:
            return value
        match value:
            case str():
                for word in self._words:
                    value = value.replace(word, MASK)
                return value
            case list():
                return [self(item) for item in value]
            case dict():
                return {self(key): self(item) for key, item in value.items()}
            case _:
                return value


class _Down(Exception):
    """An answer that counts against the host's circuit."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        super().__init__(reply.status)


def _answered(error: Exception) -> bool:
    """Whether the host works, although its answer is of no use to the flow."""
    return isinstance(error, EffectError)


def _read(arguments: Mapping[str, Any]) -> HttpRequest:
    try:
        return HttpRequest.model_validate(arguments)
    except ValidationError as error:
        # Not the value: it may be what a contact wrote.
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise EffectError(f"http: {reasons}", code="arguments") from error


def _failed(request: HttpRequest, code: str, message: str, *, sent: bool) -> EffectError:
    """Tried again only where that can't do it twice, or where the flow says that it may."""
    if request.repeats or (not sent and request.retry is not False):
        return TryAgain(message, code=code)
    return EffectError(message, code=code)


def _refused(request: HttpRequest, reply: Reply) -> EffectError:
    message, details = f"the answer is {reply.status}", {"status": reply.status}
    busy = reply.status == _TOO_MANY
    if request.repeats or (busy and request.retry is not False):
        after = reply.headers.get("retry-after", "").strip()
        seconds = float(after) if after.isascii() and after.isdigit() and len(after) < 10 else None
        return TryAgain(message, code="status", details=details, after=seconds)
    return EffectError(message, code="status", details=details)


def _with_query(request: HttpRequest) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in request.query.items():
        many = value if isinstance(value, list) else [value]
        pairs += [(name, _word(name, item)) for item in many if item is not None]
    if not pairs:
        return request.url
    url = request.url.partition("#")[0]
    end = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return f"{url}{end}{urlencode(pairs)}"


def _word(name: str, value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case str() | int() | float():
            return str(value)
        case _:
            raise EffectError(f"query.{name} is neither text, number nor date", code="arguments")


def _header(name: str, value: str) -> str:
    if not is_header_value(value):
        raise EffectError(f"the header {name} has more than one line, or not only Latin", code="arguments")
    return value


def _body(request: HttpRequest) -> tuple[bytes | None, str]:
    if request.has_json:
        text = json.dumps(request.json_, ensure_ascii=False, allow_nan=False, default=_plain)
        return _utf8(text), "application/json"
    if request.body is not None:
        return _utf8(request.body), "text/plain; charset=utf-8"
    return (b"" if request.method in ("POST", "PUT", "PATCH") else None), ""


def _utf8(text: str) -> bytes:
    """Half of an emoji, as a cut-off text has it, becomes a question mark."""
    return text.encode(errors="replace")


def _plain(value: Any) -> Any:
    match value:
        case Money():
            return {"amount": str(value.amount), "currency": value.currency}
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case _:
            raise EffectError(f"json: a {type(value).__name__} can't be sent", code="arguments")


def _content(header: str) -> tuple[str, str]:
    """The type, lower case, and the character set."""
    headers = Headers()
    headers["Content-Type"] = header.replace("\n", " ").replace("\r", " ")
    return headers.get_content_type().lower(), str(headers.get_param("charset") or "utf-8")


def _decoded(body: bytes, charset: str) -> str:
    try:
        name = codecs.lookup(charset).name
    except (LookupError, UnicodeError, ValueError):
        name = "utf-8"
    # Only what servers write in: some of Python's codecs take time with the square of the length.
    return body.decode(name if name.startswith(_CHARSETS) else "utf-8", errors="replace")


def _json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_number)
    except (ValueError, RecursionError):
        raise EffectError("the answer says that it is JSON, and isn't", code="json") from None
    if _deeper_than(found, DEPTH):
        raise EffectError(f"the answer's JSON is nested deeper than {DEPTH}", code="json")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _number(word: str) -> float:
    value = float(word)
    if value - value != 0:
        raise ValueError(word)
    return value


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return False
        level = inner
    return True
