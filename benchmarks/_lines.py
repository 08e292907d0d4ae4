"""How every benchmark tells its figures: one measure a line, beside its baseline of the same run."""

import json
from typing import Any


def line(name: str, value: float, unit: str, baseline: float, ratio: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "baseline": round(baseline, 1),
        "ratio": round(ratio, 3),
    }


def tell(entry: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(entry), flush=True)
        return
    value, unit, baseline, ratio = (entry[key] for key in ("value", "unit", "baseline", "ratio"))
    print(f"{entry['name']:32} {value:10,.1f} {unit:8} beside {baseline:10,.1f}: {ratio:.3f}", flush=True)
