"""The products as they are now, with their names ready to be searched."""

from collections import OrderedDict
from dataclasses import dataclass

from wabot.core.module import Call
from wabot.modules.catalog import queries
from wabot.modules.catalog.names import Names
from wabot.modules.catalog.products import Product
from wabot.modules.catalog.settings import CatalogSettings

_KEPT = 8


@dataclass(frozen=True, slots=True)
class Shelf:
    products: tuple[Product, ...]
    names: Names

    def of_sku(self, sku: str) -> Product | None:
        wanted = sku.strip().casefold()
        return next((product for product in self.products if product.sku.casefold() == wanted), None)


# Found again by what is in it, so whichever database it was read from, it is the same shelf.
_shelves: OrderedDict[tuple[str, float], Shelf] = OrderedDict()


def shelf(call: Call) -> Shelf:
    """The shelf of today's file. Raises SettingsError where the file has mistakes."""
    settings: CatalogSettings = call.settings(CatalogSettings)
    if settings.file:
        queries.import_file(call.session, settings.file, call.currency, call.clock.now())
    key = (queries.edition(call.session), settings.cutoff)
    known = _shelves.get(key)
    if known is None:
        known = _filled(tuple(queries.products(call.session)), settings.cutoff)
        if key[0]:
            _shelves[key] = known
        while len(_shelves) > _KEPT:
            _shelves.popitem(last=False)
    return known


def _filled(products: tuple[Product, ...], cutoff: float) -> Shelf:
    names = Names(cutoff)
    for at, product in enumerate(products):
        names.add(at, (product.name, *product.names.values()), (product.sku, *product.aliases))
    return Shelf(products, names)
