from wabot.core.fallback import numbered
from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section


def test_plain_text_stays_as_it_is() -> None:
    assert numbered(Outbound(text="Hello\n\nthere"), "Reply with a number.") == "Hello\n\nthere"


def test_buttons_become_numbered_lines() -> None:
    message = Outbound(
        header="Order",
        text="Confirm?",
        footer="Shop",
        buttons=(Button(id="yes", title="Confirm"), Button(id="no", title="Change")),
    )
    assert numbered(message, "Reply with a number.") == (
        "Order\n\nConfirm?\n\n1. Confirm\n2. Change\n\nReply with a number.\n\nShop"
    )


def test_a_list_counts_on_through_its_sections() -> None:
    message = Outbound(
        text="What?",
        choices=Choices(
            button="Choose",
            sections=(
                Section(title="Bags", rows=(Row(id="a", title="Cement", description="50 kg"),)),
                Section(rows=(Row(id="b", title="Sand"),)),
            ),
        ),
    )
    text = numbered(message)
    assert text == "What?\n\nBags\n1. Cement – 50 kg\n\n2. Sand"
    assert [option.id for option in message.options] == ["a", "b"]


def test_files_and_places_become_text() -> None:
    photo = Outbound(text="Look", media=Media(kind="image", url="https://example.com/a.jpg"))
    bill = Outbound(media=Media(kind="document", url="https://example.com/b.pdf", filename="bill.pdf"))
    assert numbered(photo) == "Look\n\nhttps://example.com/a.jpg"
    assert numbered(bill) == "bill.pdf: https://example.com/b.pdf"
    point = Location(latitude=12.9716, longitude=77.5946)
    assert numbered(Outbound(location=point)) == "12.971600, 77.594600"
    named = point.model_copy(update={"name": "Shop", "address": "1 Road"})
    assert numbered(Outbound(location=named)) == "Shop, 1 Road (12.971600, 77.594600)"
