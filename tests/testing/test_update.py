from typing import Any

import pytest

from wabot.engine.yaml import read_yaml
from wabot.testing.update import rewritten

FILE = """\
# the shop
conversation:
  - contact: Hi
    bot: Hello   # the greeting
    state: welcome
  - contact: "Cement x 100"   # quotes stay
    bot:
      - contains: [Cement]
        buttons: [Yes, No]

      # between
      - text: |-
          A long
          answer
    # after the bot
    state: summary
  - {contact: "1", bot: Done}
  - contact: more
    bot:
  - contact: last
    bot:   # a remark on top
      contains: [a, b]
"""


def reread(text: str) -> Any:
    return read_yaml(text, "test")[0]["conversation"]


def test_a_short_answer_changes_and_nothing_else() -> None:
    text = rewritten(FILE, [(("conversation", 0, "bot"), "Good day")])
    assert text == FILE.replace("bot: Hello ", "bot: Good day ")


def test_a_long_answer_before_a_comment_stays_on_its_line() -> None:
    text = rewritten(FILE, [(("conversation", 0, "bot"), "two\nlines")])
    assert '    bot: "two\\nlines"   # the greeting\n' in text
    assert reread(text)[0]["bot"] == "two\nlines"


def test_an_empty_answer_is_filled_in_below_it() -> None:
    value = [{"text": "two\nlines", "buttons": ["Confirm", "Change, or not"]}, "plain"]
    text = rewritten(FILE, [(("conversation", 3, "bot"), value)])
    assert reread(text)[3]["bot"] == value
    assert "    bot:\n      - text: |-\n          two\n          lines\n" in text
    assert text.startswith(FILE[: FILE.index("more")])
    assert text.endswith(FILE[FILE.index("  - contact: last") :])


def test_one_message_of_several_changes_alone() -> None:
    text = rewritten(FILE, [(("conversation", 1, "bot", 0), {"text": "Bricks", "buttons": ["Yes"]})])
    assert reread(text)[1]["bot"] == [{"text": "Bricks", "buttons": ["Yes"]}, {"text": "A long\nanswer"}]
    for comment in ("# between", "# after the bot", "# quotes stay"):
        assert comment in text


def test_a_whole_list_of_answers_changes() -> None:
    text = rewritten(FILE, [(("conversation", 1, "bot"), "short")])
    assert reread(text)[1] == {"contact": "Cement x 100", "bot": "short", "state": "summary"}
    assert "# after the bot" in text


def test_within_braces_the_answer_is_written_within_braces() -> None:
    text = rewritten(FILE, [(("conversation", 2, "bot"), [{"text": "a\nb"}, "c: d"])])
    assert reread(text)[2]["bot"] == [{"text": "a\nb"}, "c: d"]


def test_a_remark_above_the_answer_stays() -> None:
    text = rewritten(FILE, [(("conversation", 4, "bot"), {"text": "x", "list": ["a", "b"]})])
    assert "bot:   # a remark on top\n" in text
    assert reread(text)[4]["bot"] == {"text": "x", "list": ["a", "b"]}


def test_several_answers_change_at_once() -> None:
    updates = [(("conversation", n, "bot"), f"answer {n}") for n in range(5)]
    assert [step["bot"] for step in reread(rewritten(FILE, updates))] == [f"answer {n}" for n in range(5)]


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        rewritten(FILE, [(("conversation", 0, "nothing"), "x")])
    with pytest.raises(KeyError):
        rewritten(FILE, [(("conversation", 0, "bot", 1), "x")])


@pytest.mark.parametrize(
    "answer",
    [
        "yes",
        "true",
        "null",
        "12",
        "1.5",
        "+91 98",
        "a: b",
        "# no comment",
        "- no list",
        "[x]",
        "{{ name }}",
        'say "hi"',
        "it's",
        "₹1,00,000.00",
        "नमस्ते 🙏",
        "\u200fمرحبا\u200f",
        " spaces ",
        "trailing \nlines\n",
        "  first\nindented",
        "tab\there",
        "a\n\nb",
        "a\u2028b\nc",
        "",
        "ends with colon:",
        "x" * 500,
    ],
)
@pytest.mark.parametrize("step", [0, 2, 3, 4])
def test_any_answer_reads_back_the_same(answer: str, step: int) -> None:
    for value in (answer, [answer, answer], {"text": answer, "buttons": [answer]}, [{"text": answer}]):
        text = rewritten(FILE, [(("conversation", step, "bot"), value)])
        assert reread(text)[step]["bot"] == value
