"""What flows ask of the catalog."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wabot.core.limits import LIST_ROWS
from wabot.core.module import STARTED, Call
from wabot.core.money import Money
from wabot.errors import Rejected
from wabot.modules.catalog import queries
from wabot.modules.catalog.manifest import module
from wabot.modules.catalog.products import Product
from wabot.modules.catalog.reading import Item, read
from wabot.modules.catalog.settings import CatalogSettings
from wabot.modules.catalog.shelf import Shelf, shelf
from wabot.modules.catalog.spelling import normal, tokens, words
from wabot.modules.catalog.vocabulary import unit_of

MOST = Decimal(1_000_000)
"""A quantity above it is a slip of the finger."""
LONGEST = 10_000
"""Characters of a text that is looked through for products."""
PAGE = LIST_ROWS - 1
"""Products on a page: the tenth row of the list is for going on."""


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Offer(BaseModel):
    """A product as a contact sees it, `name` and `unit` in the contact's locale."""

    sku: str
    name: str
    unit: str
    price: Money
    tax_rate: Decimal
    category: str


class Line(BaseModel):
    """One thing that a message asks for; `text` is how.

    `status` is `ok` where product and quantity are clear; `quantity` where the product is, but the
    quantity is missing, in another unit, or no multiple of what is sold; `ambiguous` where the name
    fits several products, and `unknown` where it fits none: then `sku` is empty and `suggestions`
    has those that may be meant. `price` is for one `unit`, before tax.
    """

    text: str
    status: Literal["ok", "quantity", "ambiguous", "unknown"]
    sku: str = ""
    name: str = ""
    unit: str = ""
    quantity: Decimal | None = None
    step: Decimal = Decimal(1)
    price: Money | None = None
    tax_rate: Decimal | None = None
    hsn: str = ""
    suggestions: list[Offer] = Field(default_factory=list)


class Match(Arguments):
    text: str


@module.command("match")
def match(arguments: Match, call: Call) -> list[Line]:
    """The products that a text asks for ("cement x 100, 20 steel rods"), a line each, in its order.

    Rejected with `too_long` past 10,000 characters.
    """
    _readable(arguments.text)
    known = shelf(call)
    settings: CatalogSettings = call.settings(CatalogSettings)
    return [
        _line(item, known, _locale(call), settings.suggestions) for item in read(arguments.text, known.names)
    ]


def _readable(text: str) -> None:
    # No bound of the model: what a contact writes is no mistake of the flow's, and a flow can answer this.
    if len(text) > LONGEST:
        raise Rejected(f"the text is longer than {LONGEST:,} characters", code="too_long")


class Search(Arguments):
    text: str
    limit: int = Field(default=LIST_ROWS, ge=1, le=LIST_ROWS)


@module.command("search")
def search(arguments: Search, call: Call) -> list[Offer]:
    """Products whose names are like a text, the most alike first; for the rows of a list.

    Rejected with `too_long` past 10,000 characters.
    """
    _readable(arguments.text)
    known = shelf(call)
    found = known.names.suggest(words(tokens(arguments.text)), arguments.limit)
    return [_offer(known.products[at], _locale(call)) for at in found]


class Get(Arguments):
    sku: str


@module.command("get")
def get(arguments: Get, call: Call) -> Offer:
    """The product with this sku. Rejected with `unknown_product` where there is none."""
    product = shelf(call).of_sku(arguments.sku)
    if product is None:
        raise Rejected(f'there is no product "{arguments.sku}"', code="unknown_product")
    return _offer(product, _locale(call))


class Category(BaseModel):
    """`id` is the catalog's own word for it, `name` that of the contact's locale."""

    id: str
    name: str
    products: int


class Categories(Arguments):
    pass


@module.command("categories")
def categories(_: Categories, call: Call) -> list[Category]:
    """The first ten categories, in the order of the file."""
    found: dict[str, Category] = {}
    for product in shelf(call).products:
        if product.category:
            name = product.category_in(_locale(call))
            found.setdefault(product.category, Category(id=product.category, name=name, products=0))
            found[product.category].products += 1
    return list(found.values())[:LIST_ROWS]


class Page(BaseModel):
    """Products of a category. `next` holds the number of the next page, or nothing."""

    category: str
    name: str
    page: int
    products: list[Offer]
    next: list[int]


class List(Arguments):
    category: str = ""
    page: int = Field(default=1, ge=1)


@module.command("list")
def list_(arguments: List, call: Call) -> Page:
    """A page of a category's products (of all, without one): up to nine, so that one row is left."""
    wanted = arguments.category
    all_ = [product for product in shelf(call).products if not wanted or product.category == wanted]
    start = (arguments.page - 1) * PAGE
    shown = all_[start : start + PAGE]
    if not shown:
        raise Rejected(f'there is no page {arguments.page} of "{wanted}"', code="unknown_page")
    return Page(
        category=wanted,
        name=shown[0].category_in(_locale(call)) if wanted else "",
        page=arguments.page,
        products=[_offer(product, _locale(call)) for product in shown],
        next=[arguments.page + 1] if start + PAGE < len(all_) else [],
    )


class Import(Arguments):
    pass


class Imported(BaseModel):
    changed: bool
    products: int


@module.command("import")
def import_(_: Import, call: Call) -> Imported:
    """Read the catalog's file now, rather than when it is next asked for."""
    before = queries.edition(call.session)
    known = shelf(call)
    return Imported(changed=before != queries.edition(call.session), products=len(known.products))


@module.on(STARTED)
def read_file(_: Mapping[str, Any], call: Call) -> None:
    shelf(call)


def _line(item: Item, known: Shelf, locale: str, suggestions: int) -> Line:
    text, found = item.reading.text, item.found.products
    if len(found) != 1:
        near = found or known.names.suggest(item.reading.name, suggestions)
        return Line(
            text=text,
            status="ambiguous" if found else "unknown",
            quantity=item.reading.quantity,
            suggestions=[_offer(known.products[at], locale) for at in near[:LIST_ROWS]],
        )
    product = known.products[found[0]]
    quantity = _quantity(item, product)
    return Line(
        text=text,
        status="quantity" if quantity is None else "ok",
        sku=product.sku,
        name=product.name_in(locale),
        unit=product.unit_in(locale),
        quantity=quantity,
        step=product.step,
        price=product.price,
        tax_rate=product.tax_rate,
        hsn=product.hsn,
    )


def _quantity(item: Item, product: Product) -> Decimal | None:
    """The quantity asked for, in the product's unit; None where it isn't clear or isn't sold so."""
    quantity, unit = item.reading.quantity, item.reading.unit
    if quantity is None or not 0 < quantity <= MOST or quantity % product.step:
        return None
    own = {unit_of(word) for word in [product.unit, *normal(product.unit).split()]} - {""}
    return None if unit and own and unit not in own else quantity


def _offer(product: Product, locale: str) -> Offer:
    return Offer(
        sku=product.sku,
        name=product.name_in(locale),
        unit=product.unit_in(locale),
        price=product.price,
        tax_rate=product.tax_rate,
        category=product.category,
    )


def _locale(call: Call) -> str:
    return call.contact.locale if call.contact else ""
