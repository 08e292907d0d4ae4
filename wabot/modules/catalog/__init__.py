"""What the shop sells, and which of it a message asks for."""

from wabot.modules.catalog import commands
from wabot.modules.catalog.manifest import module

__all__ = ["commands", "module"]
