"""What Twilio posts to us: contacts' messages, and how far ours have come."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from twilio.request_validator import RequestValidator

from wabot.adapters.channels.twilio.codes import refusal_of
from wabot.adapters.channels.twilio.errors import told
from wabot.core.limits import TWILIO_FILES
from wabot.core.messages import Inbound, Kind, Location, Media
from wabot.core.phones import address
from wabot.runtime.receipts import Receipt, ReceiptStatus

Parameters = Sequence[tuple[str, str]]

_WHATSAPP = "whatsapp:"
_ADDRESS, _NAME, _ID, _CODE = 64, 255, 255, 32
"""What the tables have room for."""
_CARDS = ("text/vcard", "text/x-vcard", "text/directory")
_OPT_OUT = {"STOP": "STOP", "START": "START"}
_STATUS = {
    "accepted": ReceiptStatus.QUEUED,
    "scheduled": ReceiptStatus.QUEUED,
    "queued": ReceiptStatus.QUEUED,
    "sending": ReceiptStatus.QUEUED,
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "read": ReceiptStatus.READ,
    "undelivered": ReceiptStatus.FAILED,
    "failed": ReceiptStatus.FAILED,
    "canceled": ReceiptStatus.FAILED,
}


class TwilioWebhook:
    """Reads what Twilio posts; `parameters` are the form's pairs, in their order, blank ones and those that
    come twice among them. `previous_tokens` still count while the account's token is being replaced.
    """

    def __init__(
        self, auth_token: str, *, channel: str = "twilio", previous_tokens: Sequence[str] = ()
    ) -> None:
        self.channel = channel
        self._validators = [RequestValidator(token) for token in (auth_token, *previous_tokens) if token]

    def genuine(self, url: str, parameters: Parameters, signature: str) -> bool:
        """Whether Twilio signed it, for `url` as Twilio knows it: with its query, and with its port or
        without, as Twilio does either. Without a token nothing is genuine.
        """
        if not signature:
            return False
        form = _Form(parameters)
        try:
            return any(bool(each.validate(url, form, signature)) for each in self._validators)
        except ValueError:  # no URL at all, or one with a strange port
            return False

    def read(self, parameters: Parameters) -> Inbound | Receipt | None:
        """The message, of whatever kind; the receipt where the status came to this door; None where it is
        nothing of WhatsApp's. Raises nothing: what isn't understood is `Kind.UNKNOWN`.
        """
        form = _first(parameters)
        if form.get("MessageStatus", "") in _STATUS:
            return self.read_status(parameters, {})
        event_id = form.get("MessageSid") or form.get("SmsMessageSid") or form.get("SmsSid") or ""
        sender, recipient = _address(form.get("From", "")), _address(form.get("To", ""))
        if not (event_id and sender and recipient) or len(event_id) > _ID:
            return None
        return Inbound(
            channel=self.channel,
            event_id=event_id,
            sender=sender,
            recipient=recipient,
            name=form.get("ProfileName", "")[:_NAME],
            **_content(form),
        )

    def read_status(self, parameters: Parameters, query: Mapping[str, str]) -> Receipt | None:
        """How far a message of ours has come; None where nothing is said that we would keep.

        `query` is that of the callback's URL, which has our reference: the signature covers it.
        """
        form = _first(parameters)
        status = _STATUS.get(form.get("MessageStatus") or form.get("SmsStatus") or "")
        reference = _clean(query.get("reference", ""))
        provider_id = form.get("MessageSid") or form.get("SmsSid") or ""
        if status is None or not (reference or provider_id):
            return None
        if status is not ReceiptStatus.FAILED:
            return Receipt(channel=self.channel, status=status, reference=reference, provider_id=provider_id)
        code = form.get("ErrorCode", "").strip()[:_CODE]
        return Receipt(
            channel=self.channel,
            status=status,
            reference=reference,
            provider_id=provider_id,
            code=code,
            reason=told(form.get("ErrorMessage") or form.get("ChannelStatusMessage") or ""),
            refusal=refusal_of(code) if code else None,
        )


class _Form:
    """Pairs as the SDK's validator reads them: each name once, with all its values."""

    def __init__(self, parameters: Parameters) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parameters:
            self._values.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getall(self, name: str) -> list[str]:
        return self._values[name]


def _first(parameters: Parameters) -> dict[str, str]:
    form: dict[str, str] = {}
    for name, value in parameters:
        form.setdefault(name, _clean(value))
    return form


def _clean(value: str) -> str:
    """Without what PostgreSQL keeps in no text."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def _address(given: str) -> str:
    """Of a contact or of ours, without its prefix; empty where it is none on WhatsApp.

    One who hides the number has an id in its place, and is answered at that.
    """
    if not given.startswith(_WHATSAPP):
        return ""
    bare = given.removeprefix(_WHATSAPP).strip()
    try:
        return address(bare)
    except ValueError:
        return bare if len(bare) <= _ADDRESS else ""


def _content(form: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `Inbound` that are the message itself."""
    said: dict[str, Any] = {"text": form.get("Body", ""), "raw": _beside(form)}
    opted = _OPT_OUT.get(form.get("OptOutType", "").upper())
    kind = form.get("MessageType", "")
    if opted:
        return {**said, "text": opted, "raw": {**said["raw"], "said": form.get("Body", "")}}
    if kind == "reaction":
        about = {"message_id": form.get("OriginalRepliedMessageSid", "")}
        return {"kind": Kind.REACTION, "text": said["text"], "raw": about}
    if kind == "order":
        return {**said, "kind": Kind.ORDER, "raw": dict(form)}
    if form.get("ListId"):
        return {**said, "kind": Kind.LIST, "payload": form["ListId"], "title": form.get("ListTitle", "")}
    if form.get("ButtonPayload") or form.get("ButtonText"):
        title = form.get("ButtonText", "")
        return {**said, "kind": Kind.BUTTON, "payload": form.get("ButtonPayload") or title, "title": title}
    return _located(form, said) or _with_files(form, said) or _spoken(form, said)


def _spoken(form: Mapping[str, str], said: dict[str, Any]) -> dict[str, Any]:
    return said if said["text"] else {"kind": Kind.UNKNOWN, "raw": dict(form)}


def _beside(form: Mapping[str, str]) -> dict[str, Any]:
    """What a message of any kind may come with: the one that it answers, and the advertisement that led
    the contact here."""
    raw: dict[str, Any] = {}
    if form.get("OriginalRepliedMessageSid"):
        raw["replied_to"] = form["OriginalRepliedMessageSid"]
    referral = {name: value for name, value in form.items() if name.startswith("Referral") and value}
    if set(referral) - {"ReferralNumMedia"}:
        raw["referral"] = referral
    return raw


def _located(form: Mapping[str, str], said: dict[str, Any]) -> dict[str, Any] | None:
    try:
        place = Location(
            latitude=float(form["Latitude"]),
            longitude=float(form["Longitude"]),
            name=form.get("Label", ""),
            address=form.get("Address", ""),
        )
    except (KeyError, ValueError):
        return None
    return {**said, "kind": Kind.LOCATION, "location": place}


def _with_files(form: Mapping[str, str], said: dict[str, Any]) -> dict[str, Any] | None:
    """The first file is the message's; where there are more, all of them are in `raw`."""
    files = _files(form)
    if not files:
        return None
    first = files[0]
    raw = {**said["raw"], **({"media": files} if len(files) > 1 else {})}
    if first["mime_type"].split(";")[0].strip().lower() in _CARDS:
        return {**said, "kind": Kind.CONTACT, "raw": {**raw, "media": files}}
    kind = _media_kind(first["mime_type"], form.get("MessageType", ""))
    media = Media(kind=kind, url=first["url"], mime_type=first["mime_type"])
    return {**said, "kind": Kind(kind), "media": media, "raw": raw}


def _files(form: Mapping[str, str]) -> list[dict[str, str]]:
    """`NumMedia` isn't asked: what is there is there."""
    found = []
    for number in range(TWILIO_FILES):
        url = form.get(f"MediaUrl{number}", "")
        if url:
            found.append({"url": url, "mime_type": form.get(f"MediaContentType{number}", "")[:_NAME]})
    return found


def _media_kind(mime_type: str, said: str) -> Literal["image", "audio", "video", "document", "sticker"]:
    if said == "sticker":
        return "sticker"
    for kind in ("image", "audio", "video"):
        if mime_type.lower().startswith(f"{kind}/"):
            return kind
    return "document"
