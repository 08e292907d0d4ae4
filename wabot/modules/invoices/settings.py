"""`[invoices]` of the settings."""

from pydantic import BaseModel, ConfigDict, Field


class InvoicesSettings(BaseModel):
    """An invoice's number is series, financial year and count: `INV/26-27/00001`.

    Up to four letters or digits of `series` keep it within the 16 characters of rule 46(b) of India's
    CGST Rules. The financial year begins on the first of the month `year_begins` (1 to 12). An invoice
    is due `due_days` after it is issued. With `send` each confirmed order is invoiced to the contact,
    in the words of the text `text`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: str = Field(default="INV", pattern=r"^[A-Z0-9]{1,4}$")
    year_begins: int = Field(default=4, ge=1, le=12)
    due_days: int = Field(default=0, ge=0, le=365)
    send: bool = True
    text: str = "invoice.text"
