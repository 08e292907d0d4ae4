"""From priced lines to a confirmed order."""

from wabot.modules.orders import commands, reads
from wabot.modules.orders.manifest import module

__all__ = ["commands", "module", "reads"]
