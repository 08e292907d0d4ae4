"""The module itself."""

from pathlib import Path

from wabot.core.module import Module
from wabot.modules.invoices.settings import InvoicesSettings

module = Module(
    "invoices", settings=InvoicesSettings, migrations=Path(__file__).parent / "migrations" / "versions"
)
