"""A message as a channel can show it."""

from wabot.core.fallback import numbered
from wabot.core.messages import Outbound
from wabot.core.ports import Capabilities


def fit(message: Outbound, capabilities: Capabilities) -> Outbound:
    """`message` itself, or with its options as numbered text where the channel has no buttons or lists."""
    shows = capabilities.lists if message.choices else capabilities.buttons
    if shows or not message.options:
        return message
    words = message.model_copy(update={"media": None, "location": None})
    return Outbound(text=numbered(words), media=message.media, location=message.location)
