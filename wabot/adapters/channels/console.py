"""The terminal as a channel: whoever sits there is the contact."""

import sys
from collections.abc import Callable

from wabot.core.messages import Outbound
from wabot.core.ports import Capabilities

CONSOLE = "console"


def print_text(message: Outbound) -> None:
    sys.stdout.write(f"{message.text}\n\n")
    sys.stdout.flush()


class ConsoleChannel:
    """Shows each message with `show`: by default as text, options numbered, on standard output."""

    def __init__(
        self, show: Callable[[Outbound], None] = print_text, capabilities: Capabilities | None = None
    ) -> None:
        self.name = CONSOLE
        self.capabilities = capabilities or Capabilities(buttons=False, lists=False)
        self._show = show

    def send(self, to: str, sender: str, message: Outbound, reference: str) -> str:
        self._show(message)
        return f"{self.name}-{reference}"
