"""The life of a message: accepted, given its turn, answered; and the timers and effects beside it."""

from wabot.runtime.accept import accept
from wabot.runtime.effects import finish
from wabot.runtime.fate import SendOutcome, SendPolicy
from wabot.runtime.queries import ConversationView
from wabot.runtime.receipts import Receipt, ReceiptStatus, receive
from wabot.runtime.send import Sender
from wabot.runtime.sweep import Drained, Sweep, Sweeper, next_due

__all__ = [
    "ConversationView",
    "Drained",
    "Receipt",
    "ReceiptStatus",
    "SendOutcome",
    "SendPolicy",
    "Sender",
    "Sweep",
    "Sweeper",
    "accept",
    "finish",
    "next_due",
    "receive",
]
