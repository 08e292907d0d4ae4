import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from tests.modules.desk import RAVI, Desk, Hands, desk, migrated
from wabot.app import App
from wabot.core.database import Database
from wabot.core.migrate import differences
from wabot.core.money import Money
from wabot.engine.loader import load_flow
from wabot.engine.texts import Texts
from wabot.errors import Rejected, SettingsError, TurnError
from wabot.modules import catalog
from wabot.modules.catalog import queries
from wabot.modules.catalog.settings import CatalogSettings
from wabot.modules.catalog.tables import ProductRow
from wabot.settings import Settings

CSV = """\
sku,name,name_hi,aliases,unit,step,price,tax_rate,hsn,category,category_hi
CEM,Cement,सीमेंट,OPC 53 | simint,bag,,340.00,18,2523,Cement,सीमेंट
WHT,White cement,,,bag,1,900,18,2523,Cement,सीमेंट
SND,River sand,बालू,ret|sand,ton,0.5,1200.50,5,250590,Sand,
ROD8,TMT rod 8 mm,,rod,piece,1,450,18,,Steel,
ROD10,TMT rod 10 mm,,rod,piece,1,650,18,,Steel,
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.csv"
    path.write_text(CSV, encoding="utf-8")
    return path


@pytest.fixture
def shop(file: Path, database_url: str) -> Iterator[Desk]:
    with desk([catalog.module], CatalogSettings(file=file), url=database_url) as call:
        yield call


def match(shop: Desk, text: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = shop.run("catalog.match", {"text": text})
    return lines


def test_a_line_has_what_an_order_needs(shop: Desk) -> None:
    assert match(shop, "Cement x 100") == [
        {
            "text": "Cement x 100",
            "status": "ok",
            "sku": "CEM",
            "name": "Cement",
            "unit": "bag",
            "quantity": Decimal(100),
            "step": Decimal(1),
            "price": Money(Decimal("340.00"), "INR"),
            "tax_rate": Decimal(18),
            "hsn": "2523",
            "suggestions": [],
        }
    ]


def test_names_are_in_the_contacts_language_where_the_catalog_has_them(shop: Desk) -> None:
    shop.contact = RAVI
    assert [line["name"] for line in match(shop, "sand 2, white cement 3")] == ["बालू", "White cement"]
    assert [line["sku"] for line in match(shop, "बालू 2")] == ["SND"]
    shop.contact = None
    assert [line["name"] for line in match(shop, "sand 2")] == ["River sand"]


@pytest.mark.parametrize(
    "text", ["cement", "cement 0", "cement 2.5", "sand 2.3 ton", "cement 5 ton", "cement 5000000"]
)
def test_a_quantity_that_is_not_clear_is_left_open(shop: Desk, text: str) -> None:
    (line,) = match(shop, text)
    assert (line["status"], line["quantity"]) == ("quantity", None)
    assert line["sku"]


def test_a_sku_is_a_name_too(shop: Desk) -> None:
    assert [line["sku"] for line in match(shop, "ROD8 x 2")] == ["ROD8"]


def test_what_fits_several_or_none_names_those_that_may_be_meant(shop: Desk) -> None:
    several, none, nothing = match(shop, "rod x 2, tmt 12 mm x 3, xylophone 4")
    assert (several["status"], several["sku"], several["quantity"]) == ("ambiguous", "", Decimal(2))
    assert [offer["sku"] for offer in several["suggestions"]] == ["ROD8", "ROD10"]  # type: ignore[attr-defined]
    assert none["status"] == "unknown"
    assert {offer["sku"] for offer in none["suggestions"]} == {"ROD8", "ROD10"}  # type: ignore[attr-defined]
    assert (nothing["status"], nothing["suggestions"]) == ("unknown", [])


def test_search_gives_rows_for_a_list(shop: Desk) -> None:
    found = shop.run("catalog.search", {"text": "cement", "limit": 5})
    assert [offer["sku"] for offer in found] == ["CEM", "WHT"]
    assert found[0]["price"] == Money(Decimal("340.00"), "INR")


@pytest.mark.parametrize("command", ["catalog.match", "catalog.search"])
def test_a_text_too_long_to_look_through_is_an_answer_to_the_flow(shop: Desk, command: str) -> None:
    shop.run(command, {"text": "cement" + " " * 9_994})
    with pytest.raises(Rejected, match="longer than 10,000 characters") as caught:
        shop.run(command, {"text": "cement" + " " * 9_995})
    assert caught.value.code == "too_long"


def test_one_product_by_its_sku(shop: Desk) -> None:
    assert shop.run("catalog.get", {"sku": "cem"})["name"] == "Cement"
    with pytest.raises(Rejected, match='there is no product "NO"') as refused:
        shop.run("catalog.get", {"sku": "NO"})
    assert refused.value.code == "unknown_product"


def test_categories_in_the_order_of_the_file(shop: Desk) -> None:
    shop.contact = RAVI
    assert shop.run("catalog.categories", {}) == [
        {"id": "Cement", "name": "सीमेंट", "products": 2},
        {"id": "Sand", "name": "Sand", "products": 1},
        {"id": "Steel", "name": "Steel", "products": 2},
    ]


def test_products_by_the_page(file: Path, database_url: str) -> None:
    rows = "".join(f"P{at},Pipe {at} inch,piece,10,18,Pipes\n" for at in range(1, 21))
    file.write_text("sku,name,unit,price,tax_rate,category\n" + rows, encoding="utf-8")
    with desk([catalog.module], CatalogSettings(file=file), url=database_url) as shop:
        first = shop.run("catalog.list", {"category": "Pipes"})
        assert [offer["sku"] for offer in first["products"]] == [f"P{at}" for at in range(1, 10)]
        assert (first["name"], first["page"], first["next"]) == ("Pipes", 1, [2])
        last = shop.run("catalog.list", {"page": 3})
        assert [offer["sku"] for offer in last["products"]] == ["P19", "P20"]
        assert (last["name"], last["next"]) == ("", [])
        with pytest.raises(Rejected, match='no page 4 of "Pipes"'):
            shop.run("catalog.list", {"category": "Pipes", "page": 4})


def test_the_file_is_read_again_when_it_changed_and_only_then(shop: Desk, file: Path) -> None:
    assert shop.run("catalog.import", {}) == {"changed": True, "products": 5}
    shop.clock.pass_(minutes=1)
    assert shop.run("catalog.import", {}) == {"changed": False, "products": 5}
    kept = shop.session.scalars(select(ProductRow).where(ProductRow.sku == "WHT")).one()
    imported = kept.changed_at
    ids = {row.sku: row.id for row in shop.session.scalars(select(ProductRow))}
    text = CSV.replace("340.00", "355.00").replace("ROD10,", "ROD12,")
    file.write_text(text, encoding="utf-8")
    os.utime(file, ns=(1, 1))
    assert match(shop, "cement x 1")[0]["price"] == Money(Decimal("355.00"), "INR")
    rows = {row.sku: row for row in shop.session.scalars(select(ProductRow))}
    assert len(rows) == 6
    assert rows["CEM"].id == ids["CEM"]
    assert (rows["ROD10"].active, rows["ROD12"].active) == (False, True)
    assert rows["WHT"].changed_at == imported
    assert rows["CEM"].changed_at == shop.clock.now()
    file.write_text(CSV, encoding="utf-8")
    os.utime(file, ns=(2, 2))
    assert [line["status"] for line in match(shop, "TMT rod 10 mm x 1")] == ["ok"]
    assert shop.session.scalar(select(func.count()).select_from(ProductRow)) == 6


def test_without_a_file_the_catalog_is_what_the_database_has(file: Path, database_url: str) -> None:
    with desk([catalog.module], CatalogSettings(), url=database_url) as shop:
        assert match(shop, "cement x 1")[0]["status"] == "unknown"
        queries.import_file(shop.session, file, "INR", shop.clock.now())
        assert match(shop, "cement x 1")[0]["status"] == "ok"


def test_many_catalogs_in_one_process_stay_apart(file: Path) -> None:
    for price in range(100, 112):
        text = CSV.replace("340.00", f"{price}.00")
        file.write_text(text, encoding="utf-8")
        os.utime(file, ns=(price, price))
        with desk([catalog.module], CatalogSettings(file=file), url="sqlite://") as shop:
            assert match(shop, "cement x 1")[0]["price"] == Money(Decimal(f"{price}.00"), "INR")


def test_arguments_are_checked(shop: Desk) -> None:
    with pytest.raises(TurnError, match=r"catalog\.search: limit: Input should be less than or equal to 10"):
        shop.run("catalog.search", {"text": "cement", "limit": 11})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.csv").endswith("no.csv isn't there (set [catalog] file)")
    assert "can't be read: Is a directory" in refused(tmp_path)


def refused(path: Path) -> str:
    options = CatalogSettings(file=path)
    with desk([catalog.module], options, url="sqlite://") as shop, pytest.raises(SettingsError) as wrong:
        match(shop, "cement")
    return str(wrong.value)


HEAD = "sku,name,unit,price,tax_rate\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "A,Cement,bag,abc,18\n", 'c.csv:2: column price: "abc" doesn\'t fit; write it like 340.00'),
        (HEAD + "A,Cement,bag,1.005,18\n", 'column price: "1.005" doesn\'t fit'),
        (HEAD + "A,Cement,bag,-1,18\n", 'column price: "-1" doesn\'t fit'),
        (HEAD + "A,Cement,bag,NaN,18\n", 'column price: "NaN" doesn\'t fit'),
        (HEAD + "A,Cement,bag,1_0,18\n", 'column price: "1_0" doesn\'t fit'),
        (
            HEAD + "A,Cement,bag,10,18%\n",
            'column tax_rate: "18%" doesn\'t fit; write it in per cent, like 18',
        ),
        (HEAD + "A,Cement,bag,10,101\n", 'column tax_rate: "101" doesn\'t fit'),
        (HEAD + '"A","Ce\nment",bag,10,18\n,Sand,ton,10,5\n', "c.csv:4: column sku: empty"),
        (HEAD + "A,Cement,bag,10\n", "c.csv:2: column tax_rate: empty; every product needs one"),
        (
            HEAD + "A,Cement,bag,10,18,x\n",
            "c.csv:2: 6 cells for 5 columns; put a text with a comma in quotes",
        ),
        (HEAD + "A,Cement,bag,10,18\nA,Sand,ton,10,5\n", 'c.csv:3: column sku: "A" is on line 2 already'),
        (HEAD + "A,Cement,bag,10,18\nB,CEMENT,ton,10,5\n", 'c.csv:3: column name: "CEMENT" is on line 2'),
        (HEAD + "A," + "x" * 201 + ",bag,10,18\n", "column name: 201 characters; the limit is 200"),
        (HEAD, "c.csv: there is no product in it (add a row below the column names)"),
        ("", "c.csv:1: missing column sku, name, unit, price, tax_rate"),
        ("sku,name,unit,tax_rate\n", "c.csv:1: missing column price (the first line names the columns)"),
        ("sku,name,unit,prise,tax_rate\n", 'c.csv:1: there is no column "prise" (did you mean "price"?)'),
        ("sku,name,unit,price,tax_rate,weight\n", "take one of sku, name, unit, price, tax_rate, aliases"),
        ("sku,name,unit,price,tax_rate,SKU\n", 'the column "sku" is there twice (keep one of them)'),
        (HEAD + '"A,Cement,bag,10,18\n', "c.csv:2: unexpected end of data (is a quote left open?)"),
        ("sku,name,unit,price,tax_rate,hsn\nA,C,bag,1,18,25\n", 'column hsn: "25" is not a code'),
        (
            "sku,name,unit,price,tax_rate,step\nA,C,bag,1,18,0\n",
            'column step: "0" doesn\'t fit; write it like 1',
        ),
    ],
)
def test_a_mistake_in_the_file_has_its_place_and_its_mend(
    tmp_path: Path, content: str, message: str, database_url: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_text(content, encoding="utf-8")
    with desk([catalog.module], CatalogSettings(file=path), url=database_url) as shop:
        with pytest.raises(SettingsError) as wrong:
            match(shop, "cement")
        assert message in str(wrong.value)
        assert queries.products(shop.session) == []


def test_all_mistakes_are_told_at_once_up_to_twenty(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(HEAD + "".join(f"S{at},N{at},bag,x,18\n" for at in range(25)), encoding="utf-8")
    lines = refused(path).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 5 more"


def test_what_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(HEAD.encode() + "A,Crépi,bag,10,18\n".encode("latin-1"))
    assert refused(path).endswith('c.csv:2: not UTF-8 (save it as "CSV UTF-8")')


def test_a_spreadsheets_own_separators_blank_lines_and_byte_order_mark(
    tmp_path: Path, database_url: str
) -> None:
    path = tmp_path / "c.csv"
    path.write_text(
        "\ufeffSKU;Name;Unit;Price;Tax_rate\n\n;;;;\nA;Cement, grey;bag;10;18\n", encoding="utf-8"
    )
    with desk([catalog.module], CatalogSettings(file=path), url=database_url) as shop:
        assert match(shop, "cement grey 5")[0]["status"] == "ok"


def test_the_migrations_make_the_declared_tables(database_url: str) -> None:
    database = migrated([catalog.module], database_url)
    try:
        found = [diff for diff in differences(database, [catalog.module]) if "catalog" in str(diff)]
    finally:
        database.close()
    assert found == []


def test_a_mistake_in_the_file_keeps_the_app_from_starting(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEAD + "A,Cement,bag,free,18\n", encoding="utf-8")
    settings = Settings(
        directory=tmp_path, database=SecretStr("sqlite://"), sections={"catalog": {"file": "c.csv"}}
    )
    source = load_flow("flow: f\nstates: {a: {initial: true, final: true}}", "f.yaml")
    with pytest.raises(SettingsError, match=r'c\.csv:2: column price: "free" doesn\'t fit'):
        App(settings, modules=[catalog.module], sources=[source], texts=Texts()).bind()
    (tmp_path / "c.csv").write_text(HEAD + "A,Cement,bag,10,18\n", encoding="utf-8")
    with App(settings, modules=[catalog.module], sources=[source], texts=Texts()).bind() as app:
        assert app.run("catalog.get", {"sku": "A"})["name"] == "Cement"


def test_processes_that_start_at_once_read_the_file_once(file: Path, shared_url: str) -> None:
    migrated([catalog.module], shared_url).close()
    databases = [Database(shared_url) for _ in range(4)]
    start = threading.Barrier(4)

    def read(database: Database) -> bool:
        start.wait(20)
        with database.transaction() as session:
            changed = queries.import_file(session, file, "INR", Hands().now())
            session.commit()
            return changed

    try:
        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(read, databases)) == [False, False, False, True]
    finally:
        for database in databases:
            database.close()
