"""`[orders]` of the settings."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wabot.core.gst import STATES


def _state(code: str) -> str:
    if code and code not in STATES:
        raise ValueError(f'"{code}" is not the GST code of a state: Maharashtra is "27"')
    return code


class OrdersSettings(BaseModel):
    """`gst_state` is the two-digit code of the state that the business is registered in; with it tax is
    CGST and SGST, or IGST for another place of supply. Without it tax is one sum called `tax_name`.

    `round_off` rounds totals to the currency's whole unit. `prefix` begins an order's number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gst_state: Annotated[str, AfterValidator(_state)] = ""
    tax_name: str = Field(default="Tax", min_length=1, max_length=16)
    round_off: bool = False
    prefix: str = Field(default="SO-", max_length=12, pattern=r"^[A-Za-z0-9/-]*$")
    max_lines: int = Field(default=50, ge=1, le=500)
