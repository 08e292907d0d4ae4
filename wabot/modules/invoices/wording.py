"""An invoice as a message."""

from decimal import Decimal

from wabot.core.module import Call, plain
from wabot.core.money import Money
from wabot.engine import formats
from wabot.errors import UnknownName
from wabot.modules.invoices.views import Invoice


def wording(invoice: Invoice, key: str, call: Call) -> str:
    """The project's text `key`, which sees `invoice`; a plain one in English where there is none."""
    try:
        return call.text(key, {"invoice": plain(invoice)})
    except UnknownName:
        return plain_wording(invoice, call.contact.locale if call.contact else "en")


def plain_wording(invoice: Invoice, locale: str) -> str:
    def number(value: Decimal) -> str:
        return formats.number(value, locale)

    def money(value: Money) -> str:
        return formats.money(value, locale)

    lines = [f"{x.name} × {number(x.quantity)} {x.unit}: {money(x.net)}" for x in invoice.lines]
    taxes = [f"{x.name} {number(x.rate)}%: {money(x.amount)}" for x in invoice.taxes]
    off = [f"Discount: {money(-invoice.discount)}"] if invoice.discount else []
    rounded = [f"Round-off: {money(invoice.round_off)}"] if invoice.round_off else []
    dates = f"{formats.date_(invoice.issued_on, locale)}, due {formats.date_(invoice.due_on, locale)}"
    total = f"Total: {money(invoice.total)}"
    return "\n".join([f"Invoice {invoice.number}", dates, "", *lines, *off, *taxes, *rounded, total])
