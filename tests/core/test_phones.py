import pytest

from wabot.core.phones import address, e164


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("+919876543210", None, "+919876543210"),
        (" +91 98765-43210 ", None, "+919876543210"),
        ("098765 43210", "IN", "+919876543210"),
        ("+1 (415) 523-8886", "IN", "+14155238886"),
        ("tel:+919876543210", None, "+919876543210"),
        ("+९१९८७६५४३२१०", None, "+919876543210"),
        ("+15550001111", None, "+15550001111"),
        ("+52 1 55 1234 5678", None, "+5215512345678"),
        ("+52 55 1234 5678", None, "+525512345678"),
    ],
)
def test_a_number_is_kept_in_one_form_however_it_was_written(
    written: str, region: str | None, number: str
) -> None:
    assert e164(written, region) == number


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("98765 43210", "no country code"),
        ("+999 1234 5678", "no country code"),
        ("+91 98765", "too short or too long"),
        ("+9198765432101234", "too short or too long"),
        ("", "is no phone number"),
        ("+", "is no phone number"),
        ("(--)", "is no phone number"),
        ("12", "is no phone number|no country code"),
        ("call +919876543210", "is no phone number"),
        ("whatsapp:+919876543210", "is no phone number"),
        ("+919876543210 ext 5", "is no phone number"),
        ("+1 800 FLOWERS", "is no phone number"),
        ("+919876543210' OR 1=1", "is no phone number"),
        ("+" + "1" * 5000, "is no phone number"),
    ],
)
def test_what_is_no_number_says_so_in_a_sentence(written: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        e164(written)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize("given", ["919876543210", "+919876543210", " 919876543210 "])
def test_an_address_of_the_platform_gets_its_plus(given: str) -> None:
    assert address(given) == "+919876543210"


def test_an_address_is_taken_where_the_numbering_plan_has_none_such() -> None:
    assert address("22942000000") == "+22942000000"


@pytest.mark.parametrize(
    "given", ["", "+", "abc", "12345", "0919876543210", "9" * 16, "+91 98765", "९१९८७६५४३२१०"]
)
def test_an_address_is_digits_and_nothing_else(given: str) -> None:
    with pytest.raises(ValueError, match="no address on WhatsApp"):
        address(given)
