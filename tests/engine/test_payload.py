import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.core.limits import BUTTON_ID, PAYLOAD, ROW_ID
from wabot.engine.payload import Tap, decode, encode
from wabot.errors import TurnError


def test_a_tap_says_who_showed_it() -> None:
    assert encode("order", 3, 17, "yes") == "w1|order|3|17|yes"
    assert decode("w1|order|3|17|yes") == Tap("order", 3, 17, "yes")


@given(st.text(max_size=20), st.integers(1, 10**6), st.integers(0, 10**6), st.text(max_size=30))
def test_what_is_encoded_is_decoded(flow: str, version: int, number: int, option: str) -> None:
    assert decode(encode(flow, version, number, option)) == Tap(flow, version, number, option)


@pytest.mark.parametrize(
    "payload",
    ["", "yes", "w1|order|3|17", "w2|order|3|17|yes", "w1|order|x|17|yes", "w1|order|3|-1|yes",
     "w1|order|٣|1|yes", f"w1|order|3|{'9' * 5000}|yes"],
)  # fmt: skip
def test_other_payloads_are_not_ours(payload: str) -> None:
    assert decode(payload) is None


@given(st.text())
def test_any_payload_can_come(payload: str) -> None:
    decode(payload)


def test_a_payload_fits_a_button_and_a_row() -> None:
    assert min(BUTTON_ID, ROW_ID) == PAYLOAD
    room = PAYLOAD - len(encode("order", 1, 1, ""))
    assert len(encode("order", 1, 1, "x" * room)) == PAYLOAD
    with pytest.raises(TurnError, match="too long by 1 characters"):
        encode("order", 1, 1, "x" * (room + 1))
