"""Where a request goes: a URL taken apart once, and held against the settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from wabot.core.http import HttpSettings
from wabot.errors import EffectError

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """`host` is lower case, an IPv6 address without brackets; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The host, with its port unless it is the scheme's own: the `Host` header."""
        return self.name if self.port == PORTS[self.scheme] else f"{self.name}:{self.port}"

    @property
    def name(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def join(self, location: str) -> "Target":
        """Where a redirect from here leads. Raises EffectError."""
        return parse(urljoin(f"{self.scheme}://{self.authority}{self.path}", location))

    def in_list(self, hosts: Iterable[str], ports: Iterable[int]) -> bool:
        """Whether `hosts` has it: with its port, or without one where its port is one of `ports`."""
        listed = set(hosts)
        return f"{self.name}:{self.port}" in listed or (self.name in listed and self.port in ports)


def parse(url: str) -> Target:
    """Raises EffectError for a URL that isn't http or https, or that has a user's name in it."""
    try:
        found = parse_url(url)
    except LocationParseError:
        raise _refused("the url can't be read") from None
    if found.scheme not in PORTS or not found.host:
        raise _refused("the url begins with neither http:// nor https://")
    if found.auth is not None:
        raise _refused("the url has a user's name in it: use a header, with a secret of the settings")
    host = found.host.lower().removeprefix("[").removesuffix("]").rstrip(".")
    if "%" in host or not host:
        raise _refused("the url names no host that can be called")
    port = PORTS[found.scheme] if found.port is None else found.port
    return Target(found.scheme, host, port, found.request_uri)


def permit(target: Target, settings: HttpSettings, first: Target | None = None) -> bool:
    """Whether the settings allow this host by its name, so that it needn't be public.

    A redirect (from `first`) gets there only from itself: no server sends requests into our network.
    Raises EffectError for a port that public hosts aren't called on.
    """
    own = first is None or first.origin == target.origin
    if own and target.in_list(settings.allow, settings.ports):
        return True
    if target.port not in settings.ports:
        ports = " and ".join(map(str, settings.ports))
        raise EffectError(f"port {target.port} is not allowed, only {ports}", code="not_allowed")
    return False


def _refused(message: str) -> EffectError:
    return EffectError(message, code="arguments")
