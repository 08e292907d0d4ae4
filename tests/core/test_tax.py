from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.core.gst import STATES, gst
from wabot.core.money import Money
from wabot.core.tax import allocate, single, total, totals

RATES = [Decimal(rate) for rate in ("0", "3", "5", "12", "18", "28")]


def inr(amount: str) -> Money:
    return Money(Decimal(amount), "INR")


amounts = st.integers(min_value=0, max_value=10**9).map(lambda paise: Money(Decimal(paise) / 100, "INR"))
lines = st.lists(st.tuples(amounts, st.sampled_from(RATES)), max_size=12)


def test_a_european_invoice_with_a_returned_line_and_a_charge() -> None:
    vat = Decimal(25)
    euro = [(Money.of(net, "EUR"), vat) for net in ("2800.00", "-1500.00", "25.00")]
    result = totals(euro, "EUR", split=single("VAT"))
    assert (str(result.subtotal), str(result.tax), str(result.total)) == (
        "1325.00 EUR",
        "331.25 EUR",
        "1656.25 EUR",
    )


def test_tax_is_rounded_once_per_rate_not_per_line() -> None:
    result = totals([(inr("0.33"), Decimal(5))] * 3, "INR", split=single())
    assert result.tax == inr("0.05")  # a line by itself gives 0.02, three of them 0.06


def test_a_half_is_rounded_away_from_zero() -> None:
    assert totals([(inr("0.50"), Decimal(5))], "INR", split=single()).tax == inr("0.03")
    assert totals([(inr("-0.50"), Decimal(5))], "INR", split=single()).tax == inr("-0.03")


def test_the_halves_of_gst_are_each_rounded_by_themselves() -> None:
    within = totals([(inr("7.60"), Decimal(12))], "INR", split=gst("27", "27")).groups[0]
    assert [(part.name, part.rate, part.amount) for part in within.components] == [
        ("CGST", Decimal(6), inr("0.46")),
        ("SGST", Decimal(6), inr("0.46")),
    ]
    between = totals([(inr("7.60"), Decimal(12))], "INR", split=gst("27", "29")).groups[0]
    assert [(part.name, part.rate, part.amount) for part in between.components] == [
        ("IGST", Decimal(12), inr("0.91"))
    ]


def test_a_union_territory_without_legislature_takes_utgst() -> None:
    assert [name for name, _ in gst("04", "04")(Decimal(18))] == ["CGST", "UTGST"]
    assert [name for name, _ in gst("07", "07")(Decimal(18))] == ["CGST", "SGST"]


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match='"MH" is not the GST code of a state: Maharashtra is "27"'):
        gst("27", "MH")
    assert "27" in STATES


def test_rates_are_grouped_by_value_and_sorted() -> None:
    result = totals(
        [(inr("10"), Decimal("18.00")), (inr("20"), Decimal(5)), (inr("30"), Decimal(18))],
        "INR",
        split=single(),
    )
    assert [(group.rate, group.net) for group in result.groups] == [
        (Decimal(5), inr("20")),
        (Decimal(18), inr("40")),
    ]


def test_what_is_not_taxed_has_no_components() -> None:
    (group,) = totals([(inr("10"), Decimal(0))], "INR", split=gst("27", "27")).groups
    assert group.components == ()
    assert group.tax == inr("0")


def test_the_discount_is_shared_out_before_tax() -> None:
    result = totals(
        [(inr("100"), Decimal(18)), (inr("50"), Decimal(5))], "INR", split=single(), discount=inr("10")
    )
    assert [(group.rate, group.net) for group in result.groups] == [
        (Decimal(5), inr("46.67")),
        (Decimal(18), inr("93.33")),
    ]
    assert result.tax == inr("2.33") + inr("16.80")
    assert result.total == inr("159.13")


@pytest.mark.parametrize("discount", ["-1", "150.01"])
def test_a_discount_that_does_not_fit_is_refused(discount: str) -> None:
    with pytest.raises(ValueError, match="doesn't fit a subtotal of 150"):
        totals([(inr("150.00"), Decimal(18))], "INR", split=single(), discount=inr(discount))


@pytest.mark.parametrize(
    ("net", "off", "payable"), [("99.49", "-0.49", "99"), ("99.50", "0.50", "100"), ("99", "0", "99")]
)
def test_the_total_can_be_rounded_to_whole_units(net: str, off: str, payable: str) -> None:
    result = totals([(inr(net), Decimal(0))], "INR", split=single(), whole=True)
    assert (result.round_off, result.total) == (inr(off), inr(payable))
    assert str(result.total.amount) == f"{payable}.00"


def test_currencies_without_small_change() -> None:
    yen = totals([(Money.of(105, "JPY"), Decimal(10))], "JPY", split=single())
    assert (str(yen.tax), str(yen.total)) == ("11 JPY", "116 JPY")


def test_remainders_go_to_the_largest_then_to_the_first() -> None:
    assert allocate(inr("1.00"), [inr("1"), inr("1"), inr("1")]) == [inr("0.34"), inr("0.33"), inr("0.33")]
    assert allocate(inr("-0.05"), [inr("1"), inr("3")]) == [inr("-0.01"), inr("-0.04")]


@pytest.mark.parametrize("weights", [[], ["0"], ["-1", "2"]])
def test_nothing_can_be_shared_out_over_nothing(weights: list[str]) -> None:
    with pytest.raises(ValueError, match="shared out over nothing"):
        allocate(inr("1"), [inr(weight) for weight in weights])


@given(amount=amounts, weights=st.lists(amounts, min_size=1, max_size=9).filter(any))
def test_shares_add_up_and_are_within_a_unit_of_exact(amount: Money, weights: list[Money]) -> None:
    shares = allocate(amount, weights)
    whole = total(weights, "INR")
    assert total(shares, "INR") == amount
    for share, weight in zip(shares, weights, strict=True):
        exact = amount.amount * weight.amount / whole.amount
        assert abs(share.amount - exact) < Decimal("0.0100001")


@given(lines=lines, states=st.tuples(st.sampled_from(sorted(STATES)), st.sampled_from(["27", "07"])))
def test_every_sum_matches(lines: list[tuple[Money, Decimal]], states: tuple[str, str]) -> None:
    subtotal = total((net for net, _ in lines), "INR")
    discount = Money.of(subtotal.amount / 7, "INR")
    result = totals(lines, "INR", split=gst(*states), discount=discount, whole=True)
    assert result.subtotal == subtotal
    assert total((group.net for group in result.groups), "INR") == subtotal - discount
    assert all(group.net.amount >= 0 for group in result.groups)
    parts = [part.amount for group in result.groups for part in group.components]
    assert total(parts, "INR") == result.tax
    assert result.subtotal - result.discount + result.tax + result.round_off == result.total
    assert abs(result.round_off.amount) <= Decimal("0.50")
    for group in result.groups:
        assert sum(part.rate for part in group.components) == group.rate
