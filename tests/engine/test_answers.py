from collections.abc import Collection
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.core.messages import Inbound, Kind, Location, Media
from wabot.core.money import Money
from wabot.engine import formats
from wabot.engine.answers import Answer, Expected, Hearer, Invalid, choose, parse_answer
from wabot.engine.document import AnswerType
from wabot.errors import ExpressionError

TODAY = date(2026, 11, 22)  # a Sunday
OPTIONS = (("yes", "Confirm ✅"), ("no", "Change it"), ("50kg", "Bag of 50"))


def message(text: str = "", sender: str = "+919876500000", **more: Any) -> Inbound:
    return Inbound(channel="test", event_id="1", sender=sender, recipient="+911", text=text, **more)


def parse(
    type_: AnswerType,
    said: str | Inbound,
    *,
    locale: str = "en",
    currency: str = "INR",
    intents: Collection[str] = (),
    **more: Any,
) -> Any:
    """The answer's value, or the key of the text that says why it is none."""
    inbound = message(said) if isinstance(said, str) else said
    hearer = Hearer(today=TODAY, locale=locale, currency=currency)
    result = parse_answer(Expected(type_, **more), inbound, hearer, intents)
    return result.value if isinstance(result, Answer) else result.reason


@pytest.mark.parametrize(
    ("text", "locale", "value"),
    [
        ("12", "en", 12),
        (" 12. ", "en", 12),
        ("+12", "en", 12),
        ("-5", "en", -5),
        ("−5", "en", -5),
        ("1,00,000", "en", 100000),
        ("100,000", "en", 100000),
        ("1,00,000", "hi", 100000),
        ("१,००,०००", "hi", 100000),
        ("१२", "en", 12),
        ("1.000", "de", 1000),
        ("1.000.000", "de", 1000000),
        ("1.000", "en", 1000),
        ("12 000", "fr", 12000),
        ("12\u202f000", "fr", 12000),
        ("1'000'000", "de-CH", 1000000),
        ("12.00", "en", 12),
        ("１２", "en", 12),
        ("٣٤", "ar", 34),
        ("007", "en", 7),
    ],
)
def test_whole_numbers(text: str, locale: str, value: int) -> None:
    answer = parse("integer", text, locale=locale)
    assert answer == value
    assert type(answer) is int


@pytest.mark.parametrize(
    "text",
    ["", "ten", "1.5", "1,5", "10 bags", "10 or 20", "1 2", "1-2", "1,0000", "1,00", "--5", "1e3", "0x10",
     "½", "1.5k", "5%", "9" * 60, "1.2.3", "1,2.3,4"],
)  # fmt: skip
def test_what_is_no_whole_number(text: str) -> None:
    assert parse("integer", text) == "wabot.invalid.integer"


@pytest.mark.parametrize(
    ("text", "locale", "value"),
    [
        ("2.5", "en", "2.5"),
        ("2,5", "de", "2.5"),
        ("2.5", "de", "2.5"),
        ("1,234.5", "en", "1234.5"),
        ("1.234,5", "en", "1234.5"),
        ("1.234,5", "de", "1234.5"),
        ("1,234.5", "de", "1234.5"),
        ("1 234,5", "fr", "1234.5"),
        (".5", "en", "0.5"),
        ("-0.25", "en", "-0.25"),
        ("12٫5", "ar", "12.5"),
        ("1٬000٫5", "ar", "1000.5"),
        ("1.000", "en", "1.000"),
        ("1,000", "en", "1000"),
        ("0,125", "de", "0.125"),
    ],
)
def test_numbers(text: str, locale: str, value: str) -> None:
    assert parse("number", text, locale=locale) == Decimal(value)


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["en", "hi", "de", "fr", "es", "ru"]))
def test_a_number_that_we_write_can_be_read(value: Decimal, locale: str) -> None:
    assert parse("number", formats.number(value, locale, 2), locale=locale) == value


@given(st.decimals(0, 10**9, places=2), st.sampled_from(["en", "hi", "de", "fr", "en-IN"]))
def test_an_amount_that_we_write_can_be_read(value: Decimal, locale: str) -> None:
    amount = Money.of(value, "INR")
    assert parse("money", formats.money(amount, locale), locale=locale) == amount


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500", "500"),
        ("₹500", "500"),
        ("₹ 500", "500"),
        ("500 rs", "500"),
        ("500rs.", "500"),
        ("Rs.500", "500"),
        ("Rs. 1,500.50", "1500.50"),
        ("Rs .50", "0.50"),
        ("INR 1,00,000", "100000"),
        ("500/-", "500"),
        ("Rs 500/-", "500"),
        ("500 rupees", "500"),
        ("1500 Indian Rupees.", "1500"),
        ("५०० रुपये", "500"),
        ("रु. ५००", "500"),
        ("₹ 1 000", "1000"),
        ("12.5", "12.50"),
        ("0", "0"),
    ],
)
def test_amounts(text: str, value: str) -> None:
    assert parse("money", text) == Money.of(value, "INR")


@pytest.mark.parametrize(
    "text",
    ["1.5k", "$500", "500 dollars", "€5", "-5", "10.555", "10.500", "five hundred", "500 or 600", "rs", "",
     "about 500", "2 lakh", "5,00"],
)  # fmt: skip
def test_what_is_no_amount(text: str) -> None:
    assert parse("money", text) == "wabot.invalid.money"


def test_amounts_in_other_currencies() -> None:
    assert parse("money", "12,50 €", locale="de", currency="EUR") == Money.of("12.50", "EUR")
    assert parse("money", "$1,000", currency="USD") == Money.of(1000, "USD")
    assert parse("money", "1.500", currency="KWD") == Money.of("1.500", "KWD")
    assert parse("money", "¥500.5", currency="JPY") == "wabot.invalid.money"
    assert parse("money", "500 rs", currency="USD") == "wabot.invalid.money"


@pytest.mark.parametrize(
    ("text", "locale", "value"),
    [
        ("2026-11-30", "en", date(2026, 11, 30)),
        ("2026/11/30", "en", date(2026, 11, 30)),
        ("30/11/2026", "en-IN", date(2026, 11, 30)),
        ("05/11/2026", "en", date(2026, 11, 5)),
        ("05/11/2026", "en-US", date(2026, 5, 11)),
        ("30/11/2026", "en-US", date(2026, 11, 30)),
        ("30.11.26", "de", date(2026, 11, 30)),
        ("30-11-2026", "hi", date(2026, 11, 30)),
        ("३०/११/२०२६", "hi", date(2026, 11, 30)),
        ("30/11", "en", date(2026, 11, 30)),
        ("21/11", "en", date(2027, 11, 21)),
        ("22.11.", "de", date(2026, 11, 22)),
        ("22 Nov", "en", date(2026, 11, 22)),
        ("22 November 2026", "en", date(2026, 11, 22)),
        ("Nov 22, 2027", "en", date(2027, 11, 22)),
        ("the 22nd of November", "en", date(2026, 11, 22)),
        ("22-Nov-26", "en", date(2026, 11, 22)),
        ("1 Sept", "en", date(2027, 9, 1)),
        ("२२ नवंबर २०२६", "hi", date(2026, 11, 22)),
        ("22 Nov", "hi", date(2026, 11, 22)),
        ("5. Dezember", "de", date(2026, 12, 5)),
        ("29 Feb", "en", date(2028, 2, 29)),
        ("Today", "en", TODAY),
        ("tomorrow!", "en", date(2026, 11, 23)),
        ("yesterday", "en", date(2026, 11, 21)),
        ("day after tomorrow", "en", date(2026, 11, 24)),
        ("आज", "hi", TODAY),
        ("कल", "hi", date(2026, 11, 23)),
        ("kal", "en", date(2026, 11, 23)),
        ("परसों", "hi", date(2026, 11, 24)),
        ("morgen", "de", date(2026, 11, 23)),
        ("Monday", "en", date(2026, 11, 23)),
        ("sat", "en", date(2026, 11, 28)),
        ("tues", "en", date(2026, 11, 24)),
        ("Sunday", "en", date(2026, 11, 29)),
        ("सोमवार", "hi", date(2026, 11, 23)),
    ],
)
def test_days(text: str, locale: str, value: date) -> None:
    assert parse("date", text, locale=locale) == value


@pytest.mark.parametrize(
    "text",
    ["", "soon", "31/02/2026", "2026-13-01", "13/13/2026", "32 Nov", "Nov", "22", "22 Nov Dec", "22 Nov 1 2",
     "22 23 24 Nov", "x Nov", "22 Nov x", "99/99", "x" * 50, "40 Nov 41"],
)  # fmt: skip
def test_what_is_no_day(text: str) -> None:
    assert parse("date", text) == "wabot.invalid.date"


def test_the_range_settles_what_could_be_two_days() -> None:
    assert parse("date", "कल", locale="hi", maximum=TODAY) == date(2026, 11, 21)
    assert parse("date", "21 Nov", maximum=TODAY) == date(2026, 11, 21)
    assert parse("date", "30/11", maximum=TODAY) == date(2025, 11, 30)


def test_the_contacts_country_orders_day_and_month() -> None:
    in_america = message("05/11/2026", sender="+12025550123")
    assert parse("date", in_america) == date(2026, 5, 11)
    in_britain = message("05/11/2026", sender="+442079460000")
    assert parse("date", in_britain) == date(2026, 11, 5)
    nowhere = message("05/11/2026", sender="web-visitor")
    assert parse("date", nowhere) == date(2026, 5, 11)
    hearer = Hearer(today=TODAY, region="IN")
    assert parse_answer(Expected("date"), nowhere, hearer) == Answer(date(2026, 11, 5))
    # Hindi has no American variant, but the contact may live there.
    assert parse("date", in_america, locale="hi") == date(2026, 5, 11)


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.sampled_from(["en", "hi", "de", "fr", "es", "pt"]))
def test_a_day_that_we_write_can_be_read(value: date, locale: str) -> None:
    for style in ("long", "medium"):
        text = formats.date_(value, locale, style)
        assert parse("date", text, locale=locale) == value, text


@pytest.mark.parametrize(
    ("type_", "text", "limits", "valid"),
    [
        ("integer", "5", {"minimum": 5, "maximum": 5}, True),
        ("integer", "4", {"minimum": 5}, False),
        ("integer", "6", {"maximum": 5.5}, False),
        ("number", "0.3", {"maximum": 0.3}, True),
        ("number", "5", {"minimum": Decimal(6)}, False),
        ("money", "500", {"minimum": 500}, True),
        ("money", "499.99", {"minimum": Money.of(500, "INR")}, False),
        ("money", "-5", {"minimum": -10}, True),
        ("date", "today", {"minimum": TODAY}, True),
        ("date", "yesterday", {"minimum": TODAY}, False),
        ("date", "23/11/2026", {"maximum": "2026-11-22"}, False),
        ("date", "today", {"minimum": datetime(2026, 11, 22, 9, tzinfo=UTC)}, True),
        ("text", "abc", {"minimum": 3, "maximum": 3}, True),
        ("text", "ab", {"minimum": 3}, False),
        ("text", "हाँ", {"maximum": 3}, True),
        ("email", "a@b.com", {"minimum": 3}, True),
    ],
)
def test_limits(type_: AnswerType, text: str, limits: dict[str, Any], valid: bool) -> None:
    assert (parse(type_, text, **limits) != f"wabot.invalid.{type_}") is valid


def test_an_invalid_answer_carries_what_the_text_needs() -> None:
    hearer = Hearer(today=TODAY, currency="INR")
    result = parse_answer(Expected("money", minimum=5), message("x"), hearer)
    assert result == Invalid(
        "wabot.invalid.money", {"today": TODAY, "currency": "INR", "min": Money.of(5, "INR")}
    )


@pytest.mark.parametrize(
    ("type_", "text", "limit"),
    [
        ("integer", "5", "many"),
        ("date", "today", 5),
        ("date", "today", "soon"),
        ("money", "5", "x"),
        ("money", "5", Money.of(1, "EUR")),
        ("text", "abc", [1]),
    ],
)
def test_a_limit_of_another_kind_is_the_authors_error(type_: AnswerType, text: str, limit: object) -> None:
    with pytest.raises(ExpressionError, match=f"type {type_}"):
        parse(type_, text, minimum=limit)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("98765 43210", "+919876543210"),
        ("098765-43210", "+919876543210"),
        ("+91 98765 43210", "+919876543210"),
        ("+44 20 7946 0958", "+442079460958"),
        ("call me on 9876543210, please", "+919876543210"),
        ("९८७६५४३२१०", "+919876543210"),
    ],
)
def test_phone_numbers(text: str, value: str) -> None:
    assert parse("phone", text) == value


@pytest.mark.parametrize("text", ["12345", "none", "", "9876543210 or 9876543211", "9" * 600])
def test_what_is_no_phone_number(text: str) -> None:
    assert parse("phone", text) == "wabot.invalid.phone"


def test_a_phone_number_is_read_where_the_contact_or_the_business_is() -> None:
    american = message("202-555-0123", sender="+12025550199")
    assert parse("phone", american) == "+12025550123"
    unknown = message("98765 43210", sender="web-visitor")
    assert parse("phone", unknown) == "wabot.invalid.phone"
    assert parse("phone", unknown, locale="hi-IN") == "+919876543210"
    hearer = Hearer(today=TODAY, region="IN")
    assert parse_answer(Expected("phone"), unknown, hearer) == Answer("+919876543210")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a@b.co", "a@b.co"),
        ("Mail me at Foo.Bar+x@Example.COM.", "Foo.Bar+x@example.com"),
        ("<mailto:a.b@c-d.org>", "a.b@c-d.org"),
        ("a@b.com or A@b.com", "wabot.invalid.email"),
        ("a@b.com, a@B.com", "a@b.com"),
        ("a@b", "wabot.invalid.email"),
        ("a b.com", "wabot.invalid.email"),
        ("a..b@c.com", "wabot.invalid.email"),
        (".a@c.com", "wabot.invalid.email"),
        ("a@-b.com", "wabot.invalid.email"),
        ("x" * 600 + "@b.com", "wabot.invalid.email"),
        ("", "wabot.invalid.email"),
    ],
)
def test_email_addresses(text: str, value: str) -> None:
    assert parse("email", text) == value


@pytest.mark.parametrize(
    ("text", "intents", "value"),
    [
        ("yes", (), "yes"),
        ("Confirm ✅", (), "yes"),
        ("confirm", (), "yes"),
        ("CHANGE IT!", (), "no"),
        ("1", (), "yes"),
        ("2.", (), "no"),
        ("३", (), "50kg"),
        ("3️⃣", (), "50kg"),
        ("50KG", (), "50kg"),
        ("haan", ("yes",), "yes"),
        ("haan", ("menu",), None),
        ("haan", ("yes", "no"), None),
        ("4", (), None),
        ("0", (), None),
        ("maybe", (), None),
        ("", (), None),
        ("!", (), None),
    ],
)
def test_choices(text: str, intents: tuple[str, ...], value: str | None) -> None:
    assert choose(OPTIONS, text, intents) == value
    assert parse("choice", text, options=OPTIONS, intents=intents) == (value or "wabot.invalid.choice")


def test_a_title_is_before_a_number() -> None:
    sizes = (("small", "2"), ("large", "4"))
    assert [choose(sizes, text) for text in ("1", "2", "4")] == ["small", "small", "large"]


def test_an_id_is_before_a_title() -> None:
    assert choose((("a", "b"), ("b", "a")), "a") == "a"


def test_two_options_of_one_name_are_none() -> None:
    twins = (("a", "Cement"), ("b", "cement!"))
    assert choose(twins, "CEMENT") is None
    assert choose(twins, "Cement") == "a"


def test_a_tap_answers_by_its_title() -> None:
    tap = message(kind=Kind.BUTTON, title="Change it")
    assert parse("choice", tap, options=OPTIONS) == "no"
    assert parse("text", tap) == "Change it"


@pytest.mark.parametrize(
    ("text", "locale", "value"),
    [
        ("Yes!", "en", "yes"),
        ("ok 👍", "en", "yes"),
        ("👍🏽", "en", "yes"),
        ("nope", "en", "no"),
        ("👎", "hi", "no"),
        ("हाँ जी", "hi", "yes"),
        ("haan", "en", "yes"),
        ("नही", "hi", "no"),
        ("ja", "de", "yes"),
        ("não", "pt-BR", "no"),
        ("1", "en", "yes"),
        ("2", "en", "no"),
        ("maybe", "en", "wabot.invalid.yesno"),
        ("yes or no", "en", "wabot.invalid.yesno"),
    ],
)
def test_yes_and_no(text: str, locale: str, value: str) -> None:
    options = (("yes", "Yes"), ("no", "No"))
    assert parse("yesno", text, locale=locale, options=options) == value


def test_the_flows_own_words_for_yes_and_no() -> None:
    assert parse("yesno", "bilkul", intents=("yes", "menu")) == "yes"
    assert parse("yesno", "no", intents=("yes",)) == "yes"


@pytest.mark.parametrize(
    ("text", "pattern", "value"),
    [
        ("  Asha Rao \n", None, "Asha Rao"),
        ("O'Brien {{ x }}", None, "O'Brien {{ x }}"),
        ("bell\x07", None, "bell"),
        ("   ", None, "wabot.invalid.text"),
        ("560001", r"\d{6}", "560001"),
        ("56001", r"\d{6}", "wabot.invalid.pattern"),
    ],
)
def test_text(text: str, pattern: str | None, value: str) -> None:
    assert parse("text", text, pattern=pattern) == value


def test_other_kinds_of_message_are_no_text() -> None:
    photo = message(kind=Kind.IMAGE, text="caption", media=Media(kind="image", url="https://e.com/1"))
    for type_ in ("text", "integer", "number", "money", "date", "phone", "email", "choice", "yesno"):
        assert parse(type_, photo) == f"wabot.invalid.{type_}"


@pytest.mark.parametrize(
    "text", ["12.9716, 77.5946", "https://maps.google.com/?q=12.9716%2C77.5946", "12.9716 77.5946"]
)
def test_a_place_can_be_written(text: str) -> None:
    assert parse("location", text) == {"latitude": 12.9716, "longitude": 77.5946, "name": "", "address": ""}


def test_a_place_can_be_shared() -> None:
    shared = message(kind=Kind.LOCATION, location=Location(latitude=1, longitude=2, name="Shop"))
    assert parse("location", shared) == {"latitude": 1.0, "longitude": 2.0, "name": "Shop", "address": ""}


@pytest.mark.parametrize("text", ["", "Main Road 5", "95.1, 77.5", "12.5, 190.5"])
def test_what_is_no_place(text: str) -> None:
    assert parse("location", text) == "wabot.invalid.location"


def test_a_contact_card() -> None:
    card = message(kind=Kind.CONTACT, raw={"name": "Asha", "phones": ["98765 43210", "ext. 5"]})
    assert parse("contact", card) == {
        "name": "Asha",
        "phone": "+919876543210",
        "phones": ["+919876543210", "ext. 5"],
    }
    assert parse("phone", card) == "+919876543210"
    empty = message(kind=Kind.CONTACT)
    assert parse("contact", empty) == {"name": "", "phone": "", "phones": []}
    assert parse("phone", empty) == "wabot.invalid.phone"
    damaged = message(kind=Kind.CONTACT, raw={"name": ["x"], "phones": "y"})
    assert parse("contact", damaged) == "wabot.invalid.contact"
    assert parse("phone", damaged) == "wabot.invalid.phone"
    assert parse("contact", "Asha") == "wabot.invalid.contact"


@pytest.mark.parametrize("type_", ["image", "document", "audio", "video"])
def test_files(type_: AnswerType) -> None:
    media = Media(kind=type_, url="https://e.com/1", mime_type="x/y", filename="f")
    sent = message("my caption", kind=Kind(type_), media=media)
    assert parse(type_, sent) == {
        "kind": type_,
        "url": "https://e.com/1",
        "mime_type": "x/y",
        "filename": "f",
        "caption": "my caption",
    }
    assert parse(type_, "here it is") == f"wabot.invalid.{type_}"


def test_a_picture_sent_as_a_document_is_a_picture() -> None:
    media = Media(kind="document", url="https://e.com/1", mime_type="image/png")
    sent = message(kind=Kind.DOCUMENT, media=media)
    assert parse("image", sent)["kind"] == "image"
    assert parse("document", sent)["kind"] == "document"
    assert parse("video", sent) == "wabot.invalid.video"


TYPES = st.sampled_from(
    ["text", "integer", "number", "money", "date", "phone", "email", "choice", "yesno", "location"]
)


@given(
    TYPES, st.text() | st.text("0123456789.,/-: +₹१२novrs"), st.sampled_from(["en", "hi", "de", "ar", "xx"])
)
def test_whatever_is_written_is_an_answer_or_not(type_: AnswerType, text: str, locale: str) -> None:
    parse(type_, text, locale=locale, options=OPTIONS)
