"""From priced lines to a confirmed order."""

from wabot.modules.orders import commands
from wabot.modules.orders.manifest import module

__all__ = ["commands", "module"]
