"""Meta's webhook: whether it is Meta's, and what it tells. Knows no web framework."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wabot.adapters.channels.meta.channel import API_BASE, API_VERSION
from wabot.adapters.channels.meta.reading import read
from wabot.core.messages import Inbound
from wabot.runtime.receipts import Receipt

DEPTH = 32
"""How deep a body may be nested: parts of it are kept as they came, and flows walk them."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PREFIX = "sha256="
# No database keeps the one, no encoding the others.
_UNKEPT = re.compile("[\x00\ud800-\udfff]")


class MetaWebhook:
    """`app_secret` signs what comes; `previous_secrets` may still, while it is being replaced. Without any
    secret nothing is genuine. `verify_token` is the one that was given to Meta with the webhook's address.
    `phone_numbers` are ours, E.164, with Meta's id of each: another one goes by how Meta shows it.
    """

    def __init__(
        self,
        app_secret: str,
        verify_token: str,
        *,
        channel: str = "meta",
        previous_secrets: Sequence[str] = (),
        phone_numbers: Mapping[str, str] | None = None,
        api_base: str = "",
        api_version: str = API_VERSION,
    ) -> None:
        self.channel = channel
        self._secrets = [secret.encode() for secret in (app_secret, *previous_secrets) if secret]
        self._verify_token = verify_token.encode()
        self._numbers = {id: number for number, id in (phone_numbers or {}).items()}
        self._media_url = f"{(api_base or API_BASE).rstrip('/')}/{api_version}"

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """What to answer to the handshake (GET, `hub.mode`, `hub.verify_token`, `hub.challenge`), as plain
        text; None where it isn't Meta that asks: 403."""
        token = query.get("hub.verify_token", "").encode(errors="replace")
        challenge = query.get("hub.challenge", "")
        known = bool(self._verify_token) and hmac.compare_digest(token, self._verify_token)
        if not known or query.get("hub.mode") != "subscribe" or not _CHALLENGE.fullmatch(challenge):
            return None
        return challenge

    def genuine(self, body: bytes, signature: str) -> bool:
        """Whether `X-Hub-Signature-256` is that of this very body, byte for byte as it came."""
        if not signature.startswith(_PREFIX):
            return False
        given = signature.removeprefix(_PREFIX).encode(errors="replace")
        # All of them, so that the time tells nothing of which one fits.
        fits = [hmac.compare_digest(given, _sign(secret, body)) for secret in self._secrets]
        return any(fits)

    def read(self, body: bytes) -> list[Inbound | Receipt]:
        """The messages and statuses in it, in its order; what isn't for us is left out.

        Raises ValueError for what is no JSON, or nested beyond reason.
        """
        try:
            found = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        except RecursionError:
            raise ValueError("nested beyond reason") from None
        return list(read(_kept(found, DEPTH), self.channel, self._media_url, self._numbers))


def signature(app_secret: str, body: bytes) -> str:
    """The `X-Hub-Signature-256` of `body`."""
    return _PREFIX + _sign(app_secret.encode(), body).decode()


def _sign(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


def _kept(value: Any, depth: int) -> Any:
    """`value` with the characters replaced that can't be kept. Raises ValueError where it is too deep."""
    if isinstance(value, str):
        return _UNKEPT.sub("\ufffd", value)
    if isinstance(value, dict | list) and depth == 0:
        raise ValueError("nested beyond reason")
    if isinstance(value, dict):
        return {_UNKEPT.sub("\ufffd", key): _kept(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_kept(item, depth - 1) for item in value]
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _finite(word: str) -> float:
    value = float(word)
    if value - value != 0:
        raise ValueError("a number beyond bounds")
    return value
