import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import Ran, Terminal, wabot
from wabot.cli import panes
from wabot.core.messages import Button, Outbound

TALK = ["Hi", "Ravi"]


def chat(*lines: str, arguments: tuple[object, ...] = ()) -> Ran:
    return wabot("chat", *arguments, stdin="".join(f"{line}\n" for line in lines))


def test_a_pipe_gives_plain_answers(project: Path) -> None:
    ran = chat(*TALK)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "Welcome, Asha!\n\nAre you Ravi?\n\n1. Yes\n2. No\n\n"


def test_coming_back_goes_on(project: Path) -> None:
    chat(*TALK)
    assert "state      asked\n" in chat("/state").out
    assert chat("2").out == "Welcome, Asha!\n\n"


def test_what_a_killed_chat_left_unsaid_is_said_at_once(project: Path) -> None:
    command = [sys.executable, "-c", "from wabot.cli import main; main()", "chat"]
    environment = os.environ | {"WABOT_CRASH_AT": "send.after_claim"}
    done = subprocess.run(command, input="Hi\n", capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert chat("/wait 1s", "/state").out.startswith("Welcome, Asha!\n\n")


def test_two_contacts_and_a_language(project: Path) -> None:
    chat(*TALK)
    ran = chat("Hi", arguments=("--contact", "+911", "--name", "Meera", "--locale", "hi"))
    assert ran.out == "नमस्ते Meera!\n\n"
    ran = chat("/locale hi", "2", "/locale xx-yy-zz")
    assert ran.out == "नमस्ते Asha!\n\n"
    assert '"xx-yy-zz" is no locale' in ran.err
    assert ran.code == 1


def test_the_state(project: Path) -> None:
    assert chat("/state").out == "The conversation has not begun.\n"
    ran = chat(*TALK, "1", "/state")
    assert ran.out.endswith(
        "  flow       shop (version 1)\n"
        "  state      looking\n"
        "  locale     en\n"
        '  name       "Ravi"\n'
        "  stock      0\n"
        "  invoke     look (http)\n"
    )
    assert "  ended      the next message begins anew\n" in chat("/reset", *TALK, "bye", "/state").out


def test_what_would_be_taken(project: Path) -> None:
    assert chat("/events").out == "Any message begins the flow.\n"
    out = chat(*TALK, "/events").out.partition("2. No\n\n")[2]
    assert out == (
        "shop\n"
        "  tap        1. Yes (yes)\n"
        "  tap        2. No (no)\n"
        "  event      asked: after 1h → forgotten  flows/shop.yaml:24\n"
        "  event      asked: answered [answer == 'yes'] → looking  flows/shop.yaml:26\n"
        "  event      asked: answered → welcome  flows/shop.yaml:27\n"
        "  event      asked: exhausted → end  flows/shop.yaml:28\n"
        "  event      the flow: message intent bye → end  flows/shop.yaml:10\n"
    )
    assert "done.invoke.look, error.invoke.look" in chat("1", "/events").out
    assert "answer     question waits for one" in chat("/reset", "Hi", "sub", "/events").out


def test_time_passes(project: Path) -> None:
    ran = chat(*TALK, "/wait 30m", "/state", "/wait 1h")
    assert "timer      asked.1h in 29m" in ran.out
    assert ran.out.endswith("Are you there?\n\n")
    assert "is not a length of time" in chat("/wait soon").err


def test_taps(project: Path) -> None:
    ran = chat(*TALK, "/tap maybe", "/tap no")
    assert ran.err == 'error: there is no "maybe" to tap\n  mend: there is yes, no\n'
    assert ran.out.endswith("Welcome, Asha!\n\n")
    assert "there is nothing" in chat("/reset", "/tap no").err


def test_invokes(project: Path) -> None:
    ran = chat(*TALK, "1", "/fail look is down", "1", "/done look {", '/done look {"stock": 3}', "/done look")
    assert "is down\n\nAre you Ravi?" in ran.out
    assert ran.out.endswith("There are 3.\n\n")
    assert "this is not JSON" in ran.err
    assert 'no invoke "look" is open' in ran.err


def test_a_trace(project: Path) -> None:
    out = chat(*TALK, "1", arguments=("--trace",)).out
    for part in (
        "  enter      welcome\n",
        '  event      message.text = {"kind": "text", "text": "Ravi", ',
        "  guard      welcome: message.text [message.text == 'list'] → picking: no\n",
        "  guard      asked: answered [answer == 'yes'] → looking: yes\n",
        "  transition asked: answered [answer == 'yes'] → looking\n",
        "  timer      asked.1h in 1h\n",
        "  cancel     asked.1h#",
        '  invoke     look (http) {"url": "https://example.com"}\n',
    ):
        assert part in out
    assert "Traces are shown.\n" in chat("/trace").out
    assert "Traces are hidden.\n" in chat("/trace", "/trace").out


def test_commands_that_leave_help_and_reset(project: Path) -> None:
    assert chat("/quit", "Hi").out == ""
    assert "/wait 1h         let time pass" in chat("/help").out
    ran = chat(*TALK, "/reset", "Hi")
    assert ran.out.endswith("your next message begins anew.\nWelcome, Asha!\n\n")
    assert chat("/reset").code == 0


def test_a_text_that_begins_with_a_slash(project: Path) -> None:
    assert "Are you /state?" in chat("Hi", "//state").out
    ran = chat("/nope")
    assert (ran.code, ran.out) == (1, "")
    assert "there is no /nope" in ran.err


def test_an_empty_line_says_nothing(project: Path) -> None:
    assert chat("Hi", "", "  ").out == "Welcome, Asha!\n\n"


def test_a_turn_that_fails_is_told(project: Path) -> None:
    flow = project / "flows" / "shop.yaml"
    flow.write_text(flow.read_text().replace("message.text == 'list'", "1 / stock > 1"))
    ran = chat("Hi", "list", "/state")
    assert ran.code == 1
    assert "error: flows/shop.yaml:19:" in ran.err
    assert "Sorry" in ran.out
    assert "state      welcome" in ran.out


def test_a_flow_has_a_database_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chat("Hi", arguments=("flows/inner.yaml",)).out == "How many?\n\n"
    assert (project / ".wabot" / "inner.db").is_file()
    assert "state      question" in chat("/state", arguments=("flows/inner.yaml",)).out
    assert chat("/state").out == "The conversation has not begun.\n"


def test_another_database(project: Path) -> None:
    chat("Hi", arguments=("--database", "other.db"))
    assert (project / "other.db").is_file()
    url = f"sqlite:///{project}/other.db"
    assert "state      welcome" in chat("/state", arguments=("--database", url)).out
    flow = ("flows/inner.yaml", "--database", "flow.db")
    assert chat("Hi", arguments=flow).out == "How many?\n\n"
    assert (project / "flow.db").is_file()


@pytest.mark.parametrize("argument", ["", ".", "nowhere"])
def test_nothing_to_talk_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    monkeypatch.chdir(tmp_path)
    ran = wabot("chat", *([argument] if argument else []))
    assert ran.code == 2
    assert ran.err.startswith("error: ")


def test_a_bubble(capsys: pytest.CaptureFixture[str]) -> None:
    panes.bubble(Outbound(text="one\ntwo", buttons=(Button(id="a", title="A"),)))
    assert capsys.readouterr().out == "bot: one\n     two\n     \n     1. A\n"


def test_at_a_terminal(project: Path) -> None:
    with Terminal(project, "chat") as terminal:
        terminal.until("You write to shop.")
        terminal.until("you: ")
        terminal.type("Hi\n")
        terminal.until("Welcome, Asha!")
        terminal.until("you: ")
        terminal.type("/quit\n")
        assert terminal.end() == 0
    with Terminal(project, "chat") as terminal:
        terminal.until("You are in the middle of shop: welcome.")
        terminal.until("you: ")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_ctrl_c_leaves_cleanly(project: Path) -> None:
    with Terminal(project, "chat") as terminal:
        terminal.until("you: ")
        assert terminal.interrupt() == 130
        assert "Traceback" not in terminal.shown
