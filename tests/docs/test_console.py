from pathlib import Path

import pytest

from tests.docs.console import Session, agrees


def test_plays_commands_one_after_the_other_and_moves_with_cd(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    played = list(Session(tmp_path).play("$ echo one\none\n$ cd shop\n$ basename $PWD\nshop\n"))
    assert played == [("echo one", "one\n", "one\n"), ("basename $PWD", "shop\n", "shop\n")]


def test_a_command_reads_nothing_and_its_errors_are_output(tmp_path: Path) -> None:
    assert list(Session(tmp_path).play("$ cat; echo wrong >&2")) == [("cat; echo wrong >&2", "", "wrong\n")]


@pytest.mark.parametrize(
    ("shown", "given", "same"),
    [
        ("", "anything\n", True),
        ("one\ntwo\n", "one  \ntwo\n", True),
        ("one\n", "one\ntwo\n", False),
        ("one\n...\nfour\n", "one\ntwo\nthree\nfour\n", True),
        ("took ... s\n", "took 0.3 s\n", True),
        ("took ... s\n", "took 0.3 ms\nand more", False),
        ("a.c\n", "abc\n", False),
    ],
)
def test_compares_what_is_shown_with_what_was_given(shown: str, given: str, same: bool) -> None:
    assert agrees(shown, given) is same
