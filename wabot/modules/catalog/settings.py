"""`[catalog]` of the settings."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class CatalogSettings(BaseModel):
    """`file` is a CSV file, read again when it has changed; without one the database is as it is.

    `cutoff` (0 to 1) is how like a word must be for a name to count as meant in spite of slips;
    `suggestions` is how many products are named where none is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    cutoff: float = Field(default=0.8, gt=0.5, le=1)
    suggestions: int = Field(default=3, ge=0, le=10)
