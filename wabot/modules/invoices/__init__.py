"""Numbered invoices for confirmed orders."""

from wabot.modules.invoices import commands, reads
from wabot.modules.invoices.manifest import module

__all__ = ["commands", "module", "reads"]
