"""Where a provider keeps its files, which of its servers may be asked, and what each is told."""

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from wabot.adapters.http.target import Target, parse
from wabot.errors import EffectError, TryAgain

Ask = Callable[[str], bytes]
"""The short answer of one of the source's servers, asked with its login. Raises EffectError."""

TWILIO_API = "https://api.twilio.com"
# Twilio's article on protecting media: where the API redirects to, with and without a login
TWILIO_HOSTS = ("mms.twiliocdn.com", "media.twiliocdn.com", "s3-external-1.amazonaws.com")
META_API = "https://graph.facebook.com"
# Cloud API, media: what Graph names as a file's URL
META_HOSTS = ("lookaside.fbsbx.com",)
_GRAPH = ("https", "graph.facebook.com", 443)

# Twilio, regions: api.<region>.twilio.com, and with an edge before the region
_TWILIO_REGIONS = re.compile(r"api(\.[a-z0-9-]{1,32}){1,2}\.twilio\.com")
_TWILIO_PATH = re.compile(r"/2010-04-01/Accounts/AC[0-9a-fA-F]{32}/Messages/[A-Za-z0-9]+/Media/[A-Za-z0-9]+")
_META_PATH = re.compile(r"/v[0-9]+\.[0-9]+/([0-9]{1,64})")
_HTTPS = 443
_SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sought:
    """A file's URL, and what its provider says of it before it is fetched: nothing where that is empty."""

    url: str
    mime_type: str = ""
    size: int | None = None
    sha256: str = ""


class Source(Protocol):
    """One provider's files."""

    @property
    def channel(self) -> str:
        """The channel whose messages carry its URLs."""
        ...

    def seek(self, url: str, ask: Ask) -> Sought:
        """The file of a message's `Media.url`. Raises EffectError for a URL that no webhook of this
        provider carries."""
        ...

    def admits(self, target: Target) -> bool:
        """Whether this server may be asked; False where it must be a public one besides.

        Raises EffectError for any other.
        """
        ...

    def headers(self, target: Target) -> Mapping[str, str]:
        """What this server is told: the login, where it is one that may have it."""
        ...


class _Servers:
    """The provider's API, and the hosts beside it that its files come from: those over TLS alone."""

    def __init__(
        self, api_base: str, usual: str, hosts: Collection[str], regions: re.Pattern[str] | None = None
    ) -> None:
        self.api = parse(api_base or usual)
        # One of the settings' own choice, as a test's, may be anywhere.
        self._anywhere = bool(api_base)
        self._hosts = frozenset(hosts)
        self._regions = None if api_base else regions

    def admits(self, target: Target) -> bool:
        if self.is_api(target):
            return self._anywhere
        if self.among(target):
            return False
        raise EffectError(f"{target.host} is none of the provider's servers", code="not_allowed")

    def is_api(self, target: Target) -> bool:
        if target.origin == self.api.origin:
            return True
        if self._regions is None or (target.scheme, target.port) != ("https", _HTTPS):
            return False
        return self._regions.fullmatch(target.host) is not None

    def among(self, target: Target) -> bool:
        return target.scheme == "https" and target.port == _HTTPS and target.host in self._hosts


class TwilioSource:
    """Twilio's files: its API asks for the account's login, and redirects to a server that doesn't."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        channel: str = "twilio",
        api_base: str = "",
        hosts: Collection[str] = TWILIO_HOSTS,
    ) -> None:
        self.channel = channel
        self._servers = _Servers(api_base, TWILIO_API, hosts, _TWILIO_REGIONS)
        login = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._login = {"Authorization": f"Basic {login}"}

    def seek(self, url: str, ask: Ask) -> Sought:
        """See `Source.seek`."""
        target = parse(url)
        if not self._servers.is_api(target) or not _TWILIO_PATH.fullmatch(target.path):
            raise EffectError("the url is not that of a file at Twilio", code="not_allowed")
        return Sought(url)

    def admits(self, target: Target) -> bool:
        """See `Source.admits`."""
        return self._servers.admits(target)

    def headers(self, target: Target) -> Mapping[str, str]:
        """See `Source.headers`."""
        return self._login if self._servers.is_api(target) else {}


class MetaSource:
    """Meta's files: Graph tells of an id where the file is for the next five minutes, and both servers ask
    for the token."""

    def __init__(
        self,
        access_token: str,
        *,
        channel: str = "meta",
        api_base: str = "",
        hosts: Collection[str] = META_HOSTS,
    ) -> None:
        self.channel = channel
        self._servers = _Servers(api_base, META_API, hosts)
        self._login = {"Authorization": f"Bearer {access_token}"}

    def seek(self, url: str, ask: Ask) -> Sought:
        """See `Source.seek`."""
        target, api = parse(url), self._servers.api
        if target.origin not in (_GRAPH, api.origin) or not _META_PATH.fullmatch(target.path):
            raise EffectError("the url is not that of a file at Meta", code="not_allowed")
        try:
            about = json.loads(ask(f"{api.scheme}://{api.authority}{target.path}"))
        except (ValueError, RecursionError):
            about = None
        match about:
            case {"url": str(found)}:
                return Sought(found, _word(about, "mime_type"), _size(about), _digest(_word(about, "sha256")))
            case _:
                raise TryAgain("Meta doesn't say where the file is", code="answer")

    def admits(self, target: Target) -> bool:
        """See `Source.admits`."""
        return self._servers.admits(target)

    def headers(self, target: Target) -> Mapping[str, str]:
        """See `Source.headers`."""
        known = self._servers.is_api(target) or self._servers.among(target)
        return self._login if known else {}


def _word(about: Mapping[str, object], name: str) -> str:
    value = about.get(name)
    return value if isinstance(value, str) else ""


def _digest(written: str) -> str:
    """In hex, whether Meta wrote it so or in base64; empty for anything else."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", written):
        return written.lower()
    try:
        found = base64.b64decode(written, validate=True)
    except ValueError:
        return ""
    return found.hex() if len(found) == _SHA256_BYTES else ""


def _size(about: Mapping[str, object]) -> int | None:
    # A number, or in older versions of Graph its digits.
    value = about.get("file_size")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
