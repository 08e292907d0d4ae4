import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from wabot.cli.app import app
from wabot.core import limits
from wabot.modules.catalog.products import parse_products
from wabot.settings import load_settings

SHOP = Path(__file__).parents[2] / "examples" / "merchant"


@pytest.fixture(scope="module")
def coverage() -> dict[str, dict[str, Any]]:
    result = CliRunner().invoke(app, ["test", str(SHOP), "--json"])
    assert result.exit_code == 0, result.output
    return {flow["flow"]: flow for flow in json.loads(result.stdout)["coverage"]["flows"]}


@pytest.mark.parametrize("flow", ["help", "menu", "order"])
def test_the_shops_conversations_take_every_transition_of_its_flows(
    flow: str, coverage: dict[str, dict[str, Any]]
) -> None:
    assert coverage[flow]["missing"] == []
    assert coverage[flow]["percent"] == 100


def test_its_flows_have_no_findings() -> None:
    for path in (SHOP, SHOP.parents[1] / "flows"):
        result = CliRunner().invoke(app, ["check", str(path), "--strict"])
        assert result.exit_code == 0, result.output


def test_its_catalog_fits_into_lists() -> None:
    settings = load_settings(SHOP, environment={})
    products = parse_products((SHOP / "catalog.csv").read_bytes(), "catalog.csv", settings.currency)
    assert 40 <= len(products) <= 50
    assert len({product.category for product in products}) <= limits.LIST_ROWS
    for product in products:
        assert product.names.keys() == product.units.keys() == product.categories.keys() == {"hi"}
        assert len(product.hsn) in (6, 8)
