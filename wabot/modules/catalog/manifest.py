"""The module itself."""

from pathlib import Path

from wabot.core.module import Module
from wabot.modules.catalog.settings import CatalogSettings

module = Module(
    "catalog", settings=CatalogSettings, migrations=Path(__file__).parent / "migrations" / "versions"
)
