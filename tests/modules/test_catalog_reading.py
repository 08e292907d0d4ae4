from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wabot.modules.catalog.names import Names
from wabot.modules.catalog.reading import MOST_ITEMS, read
from wabot.modules.catalog.spelling import joined, normal, tokens, words
from wabot.modules.catalog.vocabulary import unit_of

SHOP = {
    "cement": ("Cement", "OPC 53 cement", "सीमेंट", "POP"),
    "white": ("White cement",),
    "rod8": ("TMT steel rod 8 mm", "8 mm rod", "8mm sariya"),
    "rod12": ("TMT steel rod 12 mm", "steel rod", "12 mm rod"),
    "ply": ("Plywood 18 mm 8x4",),
    "sand": ("River sand", "sand", "ret", "बालू"),
    "ash": ("Fly ash bricks",),
    "nuts": ("Nuts and bolts",),
    "pipe": ("PVC pipe 1/2 inch",),
    "paint": ("Exterior paint", "paint"),
    "plaster": ("Plaster of Paris", "POP"),
    "glass": ("Glass",),
}
SKUS = list(SHOP)


@pytest.fixture(scope="module")
def names() -> Names:
    known = Names(cutoff=0.8)
    for at, (own, *aliases) in enumerate(SHOP.values()):
        known.add(at, (own,), aliases)
    return known


def asked(text: str, names: Names) -> list[tuple[str, str, str]]:
    return [
        (
            "/".join(SKUS[at] for at in item.found.products),
            "" if item.reading.quantity is None else f"{item.reading.quantity.normalize():f}",
            item.reading.unit,
        )
        for item in read(text, names)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Cement x 100",
        "cement X 100",
        "100 cement",
        "Cement*100",
        "Cement×100",
        "cement × 100",
        "Cement ✕ 100",
        "cement - 100",
        "cement – 100",
        "cement: 100",
        "cement = 100",
        "100 x cement",
        "100xcement",
        "cementx100",
        "x100 cement",
        "Cement, 100",
        "100, cement",
        "I want 100 cement please",
        "cement 100.",
        "सीमेंट १००",
        "cement 100 @ 340",
        "cement @ rs. 1,340/- 100",
        "  CEMENT   100  ",
        "🧱 cement 100 🙏",
        "1. Cement 100",
        "- cement 100",
        "मुझे 100 सीमेंट चाहिए",
        "opc 53 cement 100",
        "cemnt 100",
        "cemetn 100",
    ],
)
def test_the_ways_to_ask_for_a_hundred(text: str, names: Names) -> None:
    assert asked(text, names) == [("cement", "100", "")]


def test_numbers_in_words_count_before_a_unit_only(names: Names) -> None:
    assert asked("hundred bags of cement", names) == [("cement", "100", "bag")]
    assert asked("cement do", names) == [("cement", "", "")]  # "give cement"
    assert asked("cement hundred", names) == [("", "", "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cement 100 bags", [("cement", "100", "bag")]),
        ("100bags cement", [("cement", "100", "bag")]),
        ("cement bags 100", [("cement", "100", "bag")]),
        ("100 bags x cement", [("cement", "100", "bag")]),
        ("सीमेंट १०० बोरी", [("cement", "100", "bag")]),
        ("OPC 53 cement 100 bags", [("cement", "100", "bag")]),
        ("50 bags of cement and 20 steel rods", [("cement", "50", "bag"), ("rod12", "20", "")]),
        ("50 बोरी सीमेंट और 20 steel rod", [("cement", "50", "bag"), ("rod12", "20", "")]),
        ("ek bori cement aur do ton ret", [("cement", "1", "bag"), ("sand", "2", "ton")]),
        (
            "cement 10 + sand 2.5 ton & paint 1",
            [("cement", "10", ""), ("sand", "2.5", "ton"), ("paint", "1", "")],
        ),
        (
            "cement 10,sand .5 ton; paint 2",
            [("cement", "10", ""), ("sand", "0.5", "ton"), ("paint", "2", "")],
        ),
        ("cement 10 sand 2 ton 8mm rod 5", [("cement", "10", ""), ("sand", "2", "ton"), ("rod8", "5", "")]),
        ("8mm rod 50 cement 100", [("rod8", "50", ""), ("cement", "100", "")]),
        ("20 8 mm rod", [("rod8", "20", "")]),
        ("plywood 18mm 8x4 x 5", [("ply", "5", "")]),
        ("plywood 18 mm 8*4 - 5 sheets", [("ply", "5", "sheet")]),
        ("pvc pipe ½ inch 20", [("pipe", "20", "")]),
        ("2½ ton sand", [("sand", "2.5", "ton")]),
        ("2 1/2 ton sand", [("sand", "2.5", "ton")]),
        ("Cement 1,00,000", [("cement", "100000", "")]),
        ("Cement 1,250 bags", [("cement", "1250", "bag")]),
        ("500 flyash bricks", [("ash", "500", "")]),
        ("nuts and bolts 5 kg", [("nuts", "5", "kg")]),
        ("nuts and bolts and sand 2", [("", "", ""), ("", "", ""), ("sand", "2", "")]),
        ("rods steel 20", [("rod12", "20", "")]),
        (
            "Hi,\nplease send:\n- cement: 10 bags\n* sand = 2\n2) paint 3",
            [("cement", "10", "bag"), ("sand", "2", ""), ("paint", "3", "")],
        ),
        ("cement", [("cement", "", "")]),
        ("cement 0", [("cement", "0", "")]),
        ("POP 3", [("cement/plaster", "3", "")]),
        ("and cement 3, aur sand 2", [("cement", "3", ""), ("sand", "2", "")]),
        ("glass 3", [("glass", "3", "")]),
    ],
)
def test_what_people_write(text: str, expected: list[tuple[str, str, str]], names: Names) -> None:
    assert asked(text, names) == expected


@pytest.mark.parametrize("text", ["", "   ", "Hi", "नमस्ते 🙏", "please", "thanks!!", "100", "…", "x", "1/0"])
def test_what_asks_for_nothing(text: str, names: Names) -> None:
    assert read(text, names) == []


@pytest.mark.parametrize(
    "text", ["10 mm rod 5", "interior paint 5", "grey cement 3", "rod", "upvc pipe 1/2 inch 2"]
)
def test_a_name_that_is_only_similar_is_not_taken(text: str, names: Names) -> None:
    assert [sku for sku, *_ in asked(text, names)] == [""]


def test_similar_names_are_suggested_the_nearest_first(names: Names) -> None:
    (item,) = read("10 mm rod x 5", names)
    assert [SKUS[at] for at in names.suggest(item.reading.name, 2)] == ["rod12", "rod8"]
    assert item.reading.quantity == Decimal(5)
    assert names.suggest([], 3) == []


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("seement", ["cement", "white"]),  # two slips
        ("plast", ["plaster"]),  # a missing end
        ("what is the price of cement today", ["cement", "white"]),
        ("steal 14", ["rod12", "rod8"]),
        ("many", []),
        ("12 mm", []),
        ("qwertz", []),
        ("where is my order", []),
    ],
)
def test_what_shares_a_word_is_suggested(text: str, suggested: list[str], names: Names) -> None:
    assert [SKUS[at] for at in names.suggest(words(tokens(text)), 2)] == suggested


def test_equally_close_names_are_all_given() -> None:
    known = Names(cutoff=0.8)
    known.add(0, ("Rubber hose",), ())
    known.add(1, ("Rubber nose",), ())
    assert known.close(["rubber", "rose"]).products == ()
    known.add(2, ("Black paint",), ())
    known.add(3, ("Blank paint",), ())
    assert set(known.close(["blacc", "paint"]).products) == {2}
    assert set(known.close(["blaak", "paint"]).products) == {2, 3}


def test_a_name_of_its_own_goes_before_an_alias() -> None:
    known = Names(cutoff=0.8)
    known.add(0, ("White cement",), ("cement", "cement", ""))
    known.add(1, ("Cement",), ())
    assert known.exact(["cement"]).products == (1,)


def test_more_than_a_message_should_hold_stays_as_one_unknown_rest(names: Names) -> None:
    items = read("\n".join(["cement 1"] * (MOST_ITEMS + 20)), names)
    assert len(items) == MOST_ITEMS + 1
    assert [SKUS[at] for at in items[-2].found.products] == ["cement"]
    assert items[-1].found.products == ()
    assert items[-1].reading.text.startswith("cement 1, cement 1")


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    known = Names(cutoff=0.8)
    known.add(0, ("Cement",), ("OPC 53",))
    for item in read(text, known):
        assert item.reading.quantity is None or item.reading.quantity.is_finite()
        assert item.reading.text


@given(
    st.integers(min_value=1, max_value=99_999),
    st.sampled_from(["{n} {p}", "{p} {n}", "{p} x {n}", "{p}*{n}", "{p} - {n}", "{n}x{p}"]),
    st.sampled_from(sorted(SHOP)),
)
def test_every_product_can_be_asked_for_by_its_name(count: int, form: str, sku: str) -> None:
    known = Names(cutoff=0.8)
    for at, (own, *aliases) in enumerate(SHOP.values()):
        known.add(at, (own,), aliases)
    text = form.format(n=count, p=SHOP[sku][0])
    assert [(got, quantity) for got, quantity, _ in asked(text, known)] == [(sku, str(count))]


def test_spelling_is_made_one() -> None:
    assert normal("Ｃement ½ – ①") == "cement  1/2 - 1"
    assert normal("पाँच बड़ा") == normal("पांच बडा")
    assert words(tokens("12mm Rods, 8X4 & glass of the x")) == ["12", "mm", "rod", "8", "x", "4", "glass"]
    assert joined(["8", "12", "mm"]) == "8_12mm"
    assert (unit_of("Bags"), unit_of("बोरियाँ"), unit_of("cement"), unit_of("-")) == ("bag", "bag", "", "")
