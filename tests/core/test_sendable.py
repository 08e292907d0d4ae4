import pytest

from wabot.core.messages import Button, Choices, Location, Media, Outbound, Row, Section, Template
from wabot.core.sendable import check


def buttons(count: int) -> tuple[Button, ...]:
    return tuple(Button(id=f"b{number}", title=f"No. {number}") for number in range(count))


def choices(rows: int, **more: str) -> Choices:
    given = tuple(Row(id=f"r{number}", title=f"No. {number}") for number in range(rows))
    return Choices(
        button=more.get("button", "Open"), sections=(Section(title=more.get("title", ""), rows=given),)
    )


TEMPLATE = Template(name="hello", language="en", variables={"1": "Asha"})


@pytest.mark.parametrize(
    "message",
    [
        Outbound(text="x" * 4096),
        Outbound(text="x", buttons=buttons(3), header="h" * 60, footer="f" * 60),
        Outbound(text="x" * 1024, choices=choices(10)),
        Outbound(template=TEMPLATE),
        Outbound(text="x", buttons=buttons(10), template=TEMPLATE),
        Outbound(media=Media(kind="image", url="https://example.com/a.png")),
        Outbound(location=Location(latitude=1, longitude=2)),
    ],
)
def test_what_the_platforms_take(message: Outbound) -> None:
    check(message)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Outbound(), "says something"),
        (Outbound(text="x", buttons=buttons(1), choices=choices(1)), "not both"),
        (Outbound(buttons=buttons(1)), "need a text"),
        (Outbound(text="x" * 4097), "text has at most 4096 characters, not 4097"),
        (Outbound(text="x" * 1025, buttons=buttons(1)), "text has at most 1024"),
        (Outbound(text="x", header="h" * 61), "header has at most 60"),
        (Outbound(text="x", footer="f" * 61), "footer has at most 60"),
        (Outbound(text="x", buttons=buttons(4)), "at most 3 buttons"),
        (Outbound(text="x", buttons=buttons(11), template=TEMPLATE), "at most 10 buttons"),
        (Outbound(text="x", buttons=(Button(id="a", title="t" * 21),)), "a title has at most 20"),
        (Outbound(text="x", buttons=(Button(id="a", title=""),)), "a title is empty"),
        (Outbound(text="x", buttons=(Button(id="", title="A"),)), "an id is empty"),
        (Outbound(text="x", buttons=(Button(id="a", title="A", payload="p" * 257),)), "a payload has"),
        (Outbound(text="x", buttons=(Button(id="a", title="A"), Button(id="b", title="A"))), "one title"),
        (Outbound(text="x", buttons=(Button(id="a", title="A"), Button(id="a", title="B"))), "one id"),
        (Outbound(text="x", choices=choices(0)), "one to 10 rows"),
        (Outbound(text="x", choices=choices(11)), "one to 10 rows"),
        (Outbound(text="x", choices=choices(1, button="")), r"choices\.button is empty"),
        (Outbound(text="x", choices=choices(1, title="t" * 25)), "a section's title"),
        (Outbound(text="x", choices=Choices(button="Open", sections=())), "one to 10 rows"),
        (
            Outbound(
                text="x",
                choices=Choices(
                    button="Open",
                    sections=(Section(rows=(Row(id="a", title="A", description="d" * 73),)),),
                ),
            ),
            "a row's description",
        ),
        (Outbound(media=Media(kind="image", url="file:///etc/passwd")), "https"),
        (Outbound(media=Media(kind="image", url="javascript:alert(1)")), "https"),
        (Outbound(template=Template(name="")), r"template\.name is empty"),
        (Outbound(template=Template(name="n" * 513)), "at most 512"),
        (Outbound(template=Template(name="n", variables={"1": ""})), "a variable of a template is empty"),
    ],
)
def test_what_no_platform_takes(message: Outbound, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check(message)
