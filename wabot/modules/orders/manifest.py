"""The module itself."""

from pathlib import Path

from wabot.core.module import Module
from wabot.modules.orders.settings import OrdersSettings

module = Module(
    "orders", settings=OrdersSettings, migrations=Path(__file__).parent / "migrations" / "versions"
)
