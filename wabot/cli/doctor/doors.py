"""What providers and programs come in by: credentials, the public URL, keys, templates."""

import importlib.util
import ipaddress
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from wabot.cli.doctor.finding import Finding, error, warning, well
from wabot.core.database import Database
from wabot.errors import WabotError
from wabot.runtime.keys import any_key
from wabot.settings import Settings

HEXADECIMAL = re.compile(r"[0-9a-f]{32}")
TOKEN = re.compile(r"[A-Za-z0-9_|-]{40,}")
SHORTEST = 16
"""Characters of a verify token that nobody guesses."""
LOCAL = (".local", ".internal", ".localhost", ".test", ".lan", ".home.arpa")


def examine(settings: Settings) -> Iterator[Finding]:
    yield from _twilio(settings)
    yield from _meta(settings)
    if not (settings.twilio.configured or settings.meta.configured):
        mend = "set TWILIO_SID, TWILIO_AUTH_TOKEN and TWILIO_WHATSAPP_NUMBER, or [meta] in wabot.toml"
        yield warning("channel", "no provider: messages are shown on the console alone", mend)
    else:
        yield _public_url(settings)
    yield _server(settings)


def _twilio(settings: Settings) -> Iterator[Finding]:
    twilio = settings.twilio
    if not twilio.configured:
        return
    if importlib.util.find_spec("twilio") is None:
        yield error("twilio", "its SDK isn't installed", 'pip install "wabot[twilio]"')
        return
    wrong = [
        secret for secret in (twilio.auth_token, *twilio.previous_tokens) if not _fits(secret, HEXADECIMAL)
    ]
    if wrong and not twilio.api_base:
        message = "the auth token isn't the 32 digits and letters from a to f that Twilio's console shows"
        yield error("twilio", message, "copy TWILIO_AUTH_TOKEN again, without quotes and spaces")
    else:
        sender = twilio.number or f"the Messaging Service {twilio.messaging_service}"
        yield well("twilio", f"account {twilio.account_sid}, sends as {sender}")
        yield well("signatures", "Twilio's are checked with the auth token")
    if twilio.api_base:
        mend = "take api_base out of [twilio]"
        yield warning("twilio", f"messages go to {twilio.api_base} and not to Twilio", mend)


def _meta(settings: Settings) -> Iterator[Finding]:
    meta = settings.meta
    if not meta.configured:
        if meta.verify_token and meta.verify_token.get_secret_value() and not settings.twilio.configured:
            message = "there is a verify token, and nothing else of Meta"
            yield warning("meta", message, "set WHATSAPP_ACCESS_TOKEN, WHATSAPP_APP_SECRET and phone_numbers")
        return
    if not _fits(meta.access_token, TOKEN):
        yield error(
            "meta", "the access token is too short for one", "copy WHATSAPP_ACCESS_TOKEN again, all of it"
        )
    else:
        yield well("meta", f"API {meta.api_version}, sends as {', '.join(meta.phone_numbers)}")
    if _fits(meta.app_secret, HEXADECIMAL):
        yield well("signatures", "Meta's are checked with the app secret")
    else:
        message = "the app secret isn't the 32 digits and letters from a to f that Meta's dashboard shows"
        yield error("signatures", message, "copy WHATSAPP_APP_SECRET from the app's basic settings")
    if meta.verify_token is None or len(meta.verify_token.get_secret_value()) < SHORTEST:
        mend = "make up a longer WHATSAPP_VERIFY_TOKEN, and give it to Meta: openssl rand -hex 32"
        yield warning("meta", f"the verify token has fewer than {SHORTEST} characters", mend)
    if meta.api_base:
        yield warning(
            "meta", f"messages go to {meta.api_base} and not to Meta", "take api_base out of [meta]"
        )


def _fits(secret: SecretStr | None, shape: re.Pattern[str]) -> bool:
    return secret is not None and shape.fullmatch(secret.get_secret_value()) is not None


def _public_url(settings: Settings) -> Finding:
    """Whether providers could reach it, by its shape alone: nothing is asked of the network."""
    url = settings.web.public_url
    mend = "set WABOT_WEB__PUBLIC_URL to what providers call, like https://bot.example.com"
    if not url:
        return error("public_url", "there is none, and signatures are made over it", mend)
    parts = urlsplit(url)
    if parts.scheme != "https":
        return error("public_url", f"{url} isn't https: providers call nothing else", mend)
    host = parts.hostname or ""
    if not _is_public(host):
        return error("public_url", f"{host} can't be reached from the internet", mend)
    if parts.path.rstrip("/").endswith("/whatsapp"):
        return error("public_url", f"{url} ends in /whatsapp, which is added to it", f"end it before: {mend}")
    if parts.port not in (None, 443):
        return warning("public_url", f"{url}: Meta calls port 443 alone", "serve it at port 443, by a proxy")
    called = {
        f"{url}/whatsapp/webhook": settings.twilio.configured,
        f"{url}/whatsapp/webhook/meta": settings.meta.configured,
    }
    return well("public_url", ", ".join(address for address, is_called in called.items() if is_called))


def _is_public(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(LOCAL)


def _server(settings: Settings) -> Finding:
    """Whether `wabot web` would start."""
    web = settings.web
    where = f"{web.host}, port {web.port}"
    if importlib.util.find_spec("flask_openapi3") is None or importlib.util.find_spec("gunicorn") is None:
        return warning("web", "Flask and its server aren't installed", 'pip install "wabot[web]"')
    has_key = _has_key(settings)
    if web.dev and not has_key:
        mend = "take dev out of [web] where others can reach this machine"
        return warning("web", f"{where}: programs on this machine need no key", mend)
    if has_key:
        return well("web", f"{where}; there is a key" + (", so dev asks for it too" if web.dev else ""))
    found = error if settings.twilio.configured or settings.meta.configured else warning
    return found("web", "without a key it doesn't start", "wabot keys new NAME --scope admin")


def _has_key(settings: Settings) -> bool:
    file = make_url(settings.database_url)
    # To look into a file that isn't there would make it.
    if file.get_backend_name() == "sqlite" and not Path(file.database or "").is_file():
        return False
    try:
        with closing(Database(settings.database_url)) as database:
            return any_key(database)
    except (SQLAlchemyError, WabotError):
        return False
