"""Lays flows/ and the example shop into the wheel, for use where the repository isn't.

Not `force-include` in pyproject: that would copy them into an editable install too, where they go stale.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CARRIED = {"flows": "wabot/_flows", "examples/merchant": "wabot/_examples/merchant"}


class CarryFlows(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            root = Path(self.root)
            build_data["force_include"].update({str(root / source): home for source, home in CARRIED.items()})
