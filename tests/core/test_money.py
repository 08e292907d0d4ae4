from decimal import Decimal

import pytest

from wabot.core.money import Money, minor_unit, round_money


def inr(amount: str) -> Money:
    return Money.of(amount, "INR")


@pytest.mark.parametrize(("currency", "unit"), [("INR", "0.01"), ("JPY", "1"), ("KWD", "0.001")])
def test_each_currency_has_its_minor_unit(currency: str, unit: str) -> None:
    assert minor_unit(currency) == Decimal(unit)


@pytest.mark.parametrize(("exact", "rounded"), [("1.005", "1.01"), ("-1.005", "-1.01"), ("1.004", "1.00")])
def test_halves_go_away_from_zero(exact: str, rounded: str) -> None:
    assert round_money(Decimal(exact), "INR") == Decimal(rounded)
    assert inr(exact).amount == Decimal(rounded)


@pytest.mark.parametrize("amount", ["x", "NaN", "Infinity", "1e60", ""])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        inr(amount)


def test_arithmetic_keeps_the_currency() -> None:
    assert inr("10") + inr("0.50") - inr("1") == inr("9.50")
    assert inr("0.333") * 3 == inr("0.99")
    assert -inr("2") == inr("-2")
    assert str(inr("1500")) == "1500.00 INR"
    assert inr("1")
    assert not inr("0")


def test_amounts_have_an_order() -> None:
    assert inr("1") < inr("2") <= inr("2")
    assert inr("3") > inr("2") >= inr("2")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError, match="different currencies"):
        inr("1") + Money.of(1, "EUR")
    with pytest.raises(TypeError, match="not money"):
        inr("1") < 5  # type: ignore[operator]  # noqa: B015
