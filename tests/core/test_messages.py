import pytest

from wabot.core.limits import INBOUND_TEXT
from wabot.core.messages import Inbound


def heard(text: str, **more: object) -> Inbound:
    data = {"channel": "c", "event_id": "1", "sender": "+911", "recipient": "+910", "text": text, **more}
    return Inbound.model_validate(data)


def test_a_text_of_any_usual_length_stays_as_it_is() -> None:
    message = heard("ä" * INBOUND_TEXT)
    assert message.text == "ä" * INBOUND_TEXT
    assert message.raw == {}


@pytest.mark.parametrize("raw", [None, {}, {"kind": "odd"}])
def test_a_text_without_end_is_cut_and_says_so(raw: dict[str, str] | None) -> None:
    given = {} if raw is None else {"raw": raw}
    message = heard("ä" * (INBOUND_TEXT + 1), **given)
    assert message.text == "ä" * INBOUND_TEXT
    assert message.raw == {**(raw or {}), "text_length": INBOUND_TEXT + 1}
    assert Inbound.model_validate(message.model_dump(mode="json", exclude_defaults=True)) == message


def test_what_no_database_keeps_is_replaced_where_a_column_is_to_keep_it() -> None:
    message = Inbound(
        channel="x", event_id="a\ud83d", sender="+91\x001", recipient="\ud83d", name="A\0sha 🙂"
    )
    told = (message.event_id, message.sender, message.recipient, message.name)
    assert told == ("a\ufffd", "+91\ufffd1", "\ufffd", "A\ufffdsha 🙂")
