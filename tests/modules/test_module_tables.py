"""The modules' tables: up and down again, and what is written in them."""

from importlib import import_module
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from pydantic import BaseModel
from sqlalchemy import Connection, inspect

from tests.modules.desk import ASHA, Desk, Hands, migrated
from wabot.core.database import Database
from wabot.core.migrate import differences
from wabot.core.module import Module, bind
from wabot.modules import catalog, invoices, orders
from wabot.modules.catalog.settings import CatalogSettings
from wabot.modules.orders.settings import OrdersSettings

MODULES = [catalog.module, orders.module, invoices.module]
SHOP = Path(__file__).parents[2] / "examples" / "merchant"
pytestmark = pytest.mark.usefixtures("real_migrations")


@pytest.mark.parametrize("module", MODULES, ids=[module.name for module in MODULES])
def test_a_downgrade_takes_away_what_the_upgrade_made(module: Module, empty_url: str) -> None:
    revision = import_module(f"wabot.modules.{module.name}.migrations.versions.{module.name}_0001")
    database = migrated([], empty_url)
    try:
        with database.connection() as connection, Operations.context(configured(connection)):
            before = set(inspect(connection).get_table_names())
            revision.upgrade()
            made = set(inspect(connection).get_table_names()) - before
            assert made
            assert all(table.startswith(module.name) for table in made)
            revision.downgrade()
            assert set(inspect(connection).get_table_names()) == before
    finally:
        database.close()


def configured(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection)


def test_an_order_from_match_to_invoice(empty_url: str) -> None:
    database: Database = migrated(MODULES, empty_url)
    try:
        assert [found for found in differences(database, MODULES) if "_version" not in str(found)] == []
        options: dict[type[BaseModel], BaseModel] = {
            CatalogSettings: CatalogSettings(file=SHOP / "catalog.csv"),
            OrdersSettings: OrdersSettings(gst_state="27"),
        }
        with database.transaction() as session:
            call = Desk(session, bind(MODULES), Hands(), options, ASHA)
            lines = call.run("catalog.match", {"text": "cement 100, 2.5 ton sand"})
            order = call.run("orders.confirm", {"order": call.run("orders.quote", {"lines": lines})["id"]})
            session.commit()
        with database.transaction() as session:
            call = Desk(session, bind(MODULES), Hands(), options, ASHA)
            assert call.run("orders.get", {"number": "SO-1"}) == order
            invoice = call.run("invoices.get", {"order": order["id"]})
            assert (invoice["number"], str(invoice["total"])) == ("INV/25-26/00001", "47401.26 INR")
    finally:
        database.close()
