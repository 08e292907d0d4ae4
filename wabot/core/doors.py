"""What the settings say of the ways in and out: `[twilio]`, `[meta]`, `[web]`, `[media]`, `[health]`."""

import ipaddress
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from wabot.core.durations import Duration
from wabot.core.phones import e164

MEGABYTE = 1024 * 1024


def _number(value: str) -> str:
    """As E.164. WhatsApp's prefix may stand before it, as Twilio's console shows it."""
    return e164(value.strip().removeprefix("whatsapp:"))


def _sid(value: str, kind: str, what: str) -> str:
    if value and not re.fullmatch(f"{kind}[0-9a-fA-F]{{32}}", value):
        raise ValueError(
            f"this is no {what}: it begins with {kind}, and 32 digits and letters from a to f follow"
        )
    return value


def _account(value: str) -> str:
    return _sid(value, "AC", "account SID of Twilio")


def _service(value: str) -> str:
    return _sid(value, "MG", "SID of a Messaging Service")


def _number_or_none(value: str) -> str:
    return _number(value) if value else ""


def _url(value: str) -> str:
    """Without the slash at its end."""
    if not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f'"{value[:80]}" is no address of a server: write it like https://bot.example.com')
    if parts.username or parts.password:
        raise ValueError("an address with a user's name or a password in it is none that others may know")
    return value.rstrip("/")


def _phone_number_id(value: str) -> str:
    if not re.fullmatch("[0-9]{5,32}", value):
        raise ValueError(
            f'"{value[:40]}" is no phone number id of Meta: it is digits alone, and no phone number'
        )
    return value


def _version(value: str) -> str:
    if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]", value):
        raise ValueError(f'"{value[:20]}" is no version of the Graph API: write it like v23.0')
    return value


Number = Annotated[str, AfterValidator(_number)]
Url = Annotated[str, AfterValidator(_url)]


class _Door(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _given(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


class TwilioSettings(_Door):
    """`[twilio]`: the account through which messages go, and our number or Messaging Service in it.

    Raises ValueError where one of them is there without those that it needs.
    """

    account_sid: Annotated[str, AfterValidator(_account)] = Field(
        default="", description="the account, as Twilio's console shows it: AC…"
    )
    auth_token: SecretStr | None = Field(
        default=None, description="its auth token, which signs Twilio's webhooks too"
    )
    previous_tokens: list[SecretStr] = Field(
        default_factory=list,
        description="auth tokens that may still sign webhooks, while one is replaced",
    )
    number: Annotated[str, AfterValidator(_number_or_none)] = Field(
        default="", description="our number on WhatsApp, like +14155238886"
    )
    messaging_service: Annotated[str, AfterValidator(_service)] = Field(
        default="", description="a Messaging Service to send by instead of the number: MG…"
    )
    timeout: Duration = Field(
        default=timedelta(seconds=15), gt=timedelta(), description="how long Twilio's answer is waited for"
    )
    api_base: Url = Field(default="", description="another server in place of Twilio's, as for tests")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.account_sid or _given(self.auth_token) or self.number or self.messaging_service:
            for name, value, variable in (
                ("account_sid", self.account_sid, "TWILIO_SID"),
                ("auth_token", _given(self.auth_token), "TWILIO_AUTH_TOKEN"),
                ("number", self.number or self.messaging_service, "TWILIO_WHATSAPP_NUMBER"),
            ):
                if not value:
                    raise ValueError(f"{name} is needed beside the others: set it there, or {variable}")
        return self

    @property
    def configured(self) -> bool:
        return bool(self.account_sid)


class MetaSettings(_Door):
    """`[meta]`: the app and the numbers of WhatsApp's Cloud API.

    Raises ValueError where one of them is there without those that it needs. The verify token by itself
    is not yet a wish for this channel.
    """

    access_token: SecretStr | None = Field(default=None, description="of a system user, for the Graph API")
    app_secret: SecretStr | None = Field(default=None, description="signs Meta's webhooks")
    previous_secrets: list[SecretStr] = Field(
        default_factory=list,
        description="app secrets that may still sign webhooks, while one is replaced",
    )
    verify_token: SecretStr | None = Field(
        default=None, description="made up by you, given to Meta with the webhook's address"
    )
    phone_numbers: dict[Number, Annotated[str, AfterValidator(_phone_number_id)]] = Field(
        default_factory=dict, description="our number: Meta's id for it"
    )
    api_version: Annotated[str, AfterValidator(_version)] = Field(
        default="v23.0", description="of the Graph API"
    )
    timeout: Duration = Field(
        default=timedelta(seconds=20), gt=timedelta(), description="how long Meta's answer is waited for"
    )
    api_base: Url = Field(default="", description="another server in place of Meta's, as for tests")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if _given(self.access_token) or _given(self.app_secret) or self.phone_numbers:
            for name, value, variable in (
                ("access_token", _given(self.access_token), "WHATSAPP_ACCESS_TOKEN"),
                ("app_secret", _given(self.app_secret), "WHATSAPP_APP_SECRET"),
                ("verify_token", _given(self.verify_token), "WHATSAPP_VERIFY_TOKEN"),
                ("phone_numbers", self.phone_numbers, "WABOT_META__PHONE_NUMBERS"),
            ):
                if not value:
                    raise ValueError(f"{name} is needed beside the others: set it there, or {variable}")
        return self

    @property
    def configured(self) -> bool:
        return bool(self.phone_numbers)


class WebSettings(_Door):
    """`[web]`: where the HTTP API and the webhooks are served, and how the world reaches them."""

    public_url: Url = Field(
        default="",
        description="how providers reach this server, without /whatsapp: signatures are made over it",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen at")
    port: int = Field(default=8000, ge=0, le=65535, description="0 is any that is free")
    workers: int = Field(default=2, ge=1, le=64, description="processes of `wabot web`")
    threads: int = Field(default=4, ge=1, le=256, description="requests that each process answers at a time")
    dev: bool = Field(default=False, description="no key is asked for, at a loopback address only")
    trust_proxy: int = Field(
        default=0, ge=0, le=10, description="so many proxies of yours stand before it, and tell who calls"
    )

    @model_validator(mode="after")
    def _dev_at_home(self) -> Self:
        if self.dev and not self.loopback:
            raise ValueError(
                f"dev asks nobody for a key: only at a loopback address such as 127.0.0.1, not at {self.host}"
            )
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class MediaSettings(_Door):
    """`[media]`: where pictures and documents of contacts are kept."""

    folder: Path = Field(default=Path("media"), description="beside wabot.toml where it is relative")
    max_bytes: int = Field(
        default=16 * MEGABYTE, ge=1024, le=1024 * MEGABYTE, description="what is larger is not fetched"
    )


class HealthSettings(_Door):
    """`[health]`: from when on this deployment doesn't call itself ready."""

    backlog: Duration = Field(
        default=timedelta(minutes=5),
        description="the oldest message that waits for its turn is older than this",
    )
