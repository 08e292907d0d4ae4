from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from wabot.core.json import dumps, from_plain, loads, to_plain
from wabot.core.money import Money

KEPT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.dates()
    | st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5.5))]))
    | st.builds(Money, st.decimals(allow_nan=False, allow_infinity=False), st.sampled_from(["INR", "EUR"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["$money", "$date", "$object", "$"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(KEPT)
def test_what_is_written_comes_back(value: Any) -> None:
    assert loads(dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Money(Decimal("118.00"), "INR"), '{"$money":["118.00","INR"]}'),
        (Decimal("1.50"), '{"$decimal":"1.50"}'),
        (date(2026, 11, 22), '{"$date":"2026-11-22"}'),
        (datetime(2026, 11, 22, 10, tzinfo=UTC), '{"$datetime":"2026-11-22T10:00:00+00:00"}'),
        ({"$date": "soon"}, '{"$object":{"$date":"soon"}}'),
        ((1, "दो"), '[1,"दो"]'),
        ({1: True}, '{"1":true}'),
    ],
)
def test_the_text_of_a_value(value: object, text: str) -> None:
    assert dumps(value) == text


def test_a_model_becomes_an_object() -> None:
    class Line(BaseModel):
        name: str
        price: Money

    assert to_plain(Line(name="Cement", price=Money.of(400, "INR"))) == {
        "name": "Cement",
        "price": {"$money": ["400.00", "INR"]},
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_only_finite_numbers_are_kept(value: object) -> None:
    with pytest.raises(TypeError, match="can't be kept"):
        dumps({"number": value})


def test_other_objects_are_refused_by_type() -> None:
    with pytest.raises(TypeError, match="a set can't be kept"):
        dumps([{1}])


@pytest.mark.parametrize(
    "damaged",
    [
        {"$money": 5},
        {"$money": ["x", "INR"]},
        {"$money": ["1"]},
        {"$decimal": "many"},
        {"$date": "soon"},
        {"$datetime": None},
        {"$object": [1]},
    ],
)
def test_a_damaged_typed_value_is_a_value_error(damaged: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is no \$"):
        from_plain([damaged])


def test_an_unknown_key_with_a_dollar_is_an_object() -> None:
    assert from_plain({"$ref": 1}) == {"$ref": 1}


def test_half_an_emoji_is_replaced() -> None:
    assert loads(dumps({"name": "Zoë \ud83d"})) == {"name": "Zoë \ufffd"}
    dumps("Zoë \ud83d").encode()
