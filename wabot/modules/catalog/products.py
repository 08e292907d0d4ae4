"""A catalog as a CSV file: one product a row, every mistake with its place and its mend."""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from wabot.core.money import Money, minor_unit
from wabot.engine.problems import did_you_mean
from wabot.errors import SettingsError

REQUIRED = ("sku", "name", "unit", "price", "tax_rate")
OPTIONAL = ("aliases", "hsn", "category", "step")
_LOCAL = re.compile(r"(name|unit|category)_([a-z]{2,3}(?:-[A-Za-z0-9]+)*)")
_SHOWN = 20
_HSN = re.compile(r"\d{4}|\d{6}|\d{8}")


class Product(BaseModel):
    """Something to sell. `price` is for one `unit`, before tax; `tax_rate` is in per cent.

    `names`, `units` and `categories` are those of other locales than the catalog's own. An order takes whole
    multiples of `step`.
    """

    model_config = ConfigDict(frozen=True)

    sku: str
    name: str
    unit: str
    price: Money
    tax_rate: Decimal
    hsn: str = ""
    category: str = ""
    step: Decimal = Decimal(1)
    aliases: tuple[str, ...] = ()
    names: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    categories: dict[str, str] = Field(default_factory=dict)

    def name_in(self, locale: str) -> str:
        """The name in this locale, or its language, else the catalog's own."""
        return _in(locale, self.names) or self.name

    def unit_in(self, locale: str) -> str:
        return _in(locale, self.units) or self.unit

    def category_in(self, locale: str) -> str:
        return _in(locale, self.categories) or self.category


def _in(locale: str, local: dict[str, str]) -> str:
    return local.get(locale) or local.get(locale.split("-")[0]) or ""


def fingerprint(file: Path, currency: str) -> str:
    """What tells this content of the file from any other. Raises SettingsError where there is none."""
    try:
        status = file.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    return _fingerprint(file, status.st_mtime_ns, status.st_size, currency)


@lru_cache(maxsize=16)
def _fingerprint(file: Path, _changed: int, _size: int, currency: str) -> str:
    return hashlib.sha256(currency.encode() + b"\n" + content_of(file)).hexdigest()


def content_of(file: Path) -> bytes:
    """The bytes of a catalog file. Raises SettingsError where there is none."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> SettingsError:
    reason = "isn't there" if isinstance(error, FileNotFoundError) else f"can't be read: {error.strerror}"
    return SettingsError(f"the catalog {file} {reason}", hint="set [catalog] file", keys=("catalog", "file"))


def parse_products(content: bytes, file: str, currency: str) -> list[Product]:
    """The products of a CSV file, in its order.

    Columns: `sku`, `name`, `unit`, `price`, `tax_rate`, and if wanted `aliases` (separated by `|`),
    `hsn`, `category`, `step`, and `name_<locale>`, `unit_<locale>`, `category_<locale>`.
    Raises SettingsError that names file, line, column and mend of each mistake.
    """
    rows = _rows(content, file)
    columns = _columns(next(rows, (1, [])), file)
    products: list[Product] = []
    mistakes: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in rows:
        if not any(cells):
            continue
        if len(cells) > len(columns):
            excess = f"{len(cells)} cells for {len(columns)} columns"
            mistakes.append(f"{file}:{line}: {excess}; put a text with a comma in quotes")
            continue
        row = dict(zip(columns, cells, strict=False))
        wrong = list(_mistakes(row, currency)) or list(_repeated(row, seen, line))
        mistakes += [f"{file}:{line}: {mistake}" for mistake in wrong]
        if not wrong:
            products.append(_product(row, currency))
    if mistakes:
        more = [f"and {len(mistakes) - _SHOWN} more"] if len(mistakes) > _SHOWN else []
        raise SettingsError("\n".join(mistakes[:_SHOWN] + more))
    if not products:
        raise SettingsError(f"{file}: there is no product in it", hint="add a row below the column names")
    return products


def _rows(content: bytes, file: str) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it begins on."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{file}:{line}: not UTF-8", hint='save it as "CSV UTF-8"') from error
    first = text.partition("\n")[0]
    reader = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(first), strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise SettingsError(f"{file}:{line}: {error}", hint="is a quote left open?") from error


def _delimiter(header: str) -> str:
    """Spreadsheets in some countries write `;` or tabs."""
    return max(",;\t", key=header.count)


def _columns(header: tuple[int, list[str]], file: str) -> list[str]:
    line, columns = header[0], [name.lower() for name in header[1]]
    for at, name in enumerate(columns):
        if name not in REQUIRED + OPTIONAL and not _LOCAL.fullmatch(name):
            mend = did_you_mean(name, REQUIRED + OPTIONAL) or f"take one of {', '.join(REQUIRED + OPTIONAL)}"
            raise SettingsError(f'{file}:{line}: there is no column "{name}"', hint=mend)
        if name in columns[:at]:
            raise SettingsError(f'{file}:{line}: the column "{name}" is there twice', hint="keep one of them")
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise SettingsError(
            f"{file}:{line}: missing column {', '.join(missing)}", hint="the first line names the columns"
        )
    return columns


def _mistakes(row: dict[str, str], currency: str) -> Iterator[str]:
    for column in REQUIRED:
        if not row.get(column):
            yield f"column {column}: empty; every product needs one"
    yield from _wrong_number(row, "price", Decimal(0), minor_unit(currency), "like 340.00")
    yield from _wrong_number(
        row, "tax_rate", Decimal(0), Decimal("0.001"), "in per cent, like 18", Decimal(100)
    )
    yield from _wrong_number(row, "step", Decimal("0.001"), Decimal("0.001"), "like 1 or 0.5")
    hsn = row.get("hsn", "")
    if hsn and not _HSN.fullmatch(hsn):
        yield f'column hsn: "{hsn}" is not a code; write its 4, 6 or 8 digits'
    for column, longest in (("sku", 64), ("name", 200), ("unit", 32), ("category", 72)):
        if len(row.get(column, "")) > longest:
            yield f"column {column}: {len(row[column])} characters; the limit is {longest}"


def _wrong_number(
    row: dict[str, str],
    column: str,
    least: Decimal,
    finest: Decimal,
    mend: str,
    most: Decimal = Decimal(10**9),
) -> Iterator[str]:
    text = row.get(column, "")
    if not text:
        return
    value = _decimal(text)
    if value is None or not least <= value <= most or value % finest:
        yield f'column {column}: "{text}" doesn\'t fit; write it {mend}'


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and "_" not in text else None


def _repeated(row: dict[str, str], seen: dict[tuple[str, str], int], line: int) -> Iterable[str]:
    for column in ("sku", "name"):
        key = (column, row[column].casefold())
        if key in seen:
            yield f'column {column}: "{row[column]}" is on line {seen[key]} already; each needs its own'
        seen.setdefault(key, line)


def _product(row: dict[str, str], currency: str) -> Product:
    local: dict[str, dict[str, str]] = {"name": {}, "unit": {}, "category": {}}
    for column, text in row.items():
        found = _LOCAL.fullmatch(column)
        if found and text:
            local[found.group(1)][found.group(2)] = text
    return Product(
        sku=row["sku"],
        name=row["name"],
        unit=row["unit"],
        price=Money.of(row["price"], currency),
        tax_rate=Decimal(row["tax_rate"]),
        hsn=row.get("hsn", ""),
        category=row.get("category", ""),
        step=Decimal(row.get("step") or 1),
        aliases=tuple(filter(None, (alias.strip() for alias in row.get("aliases", "").split("|")))),
        names=local["name"],
        units=local["unit"],
        categories=local["category"],
    )
