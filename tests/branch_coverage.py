"""Reads coverage's JSON report on standard input and fails where too few branches are covered.

coverage's own --fail-under mixes lines with branches, which hides branches behind lines.
"""

import json
import sys


def main() -> int:
    minimum = float(sys.argv[1])
    totals = json.load(sys.stdin)["totals"]
    covered, branches = totals["covered_branches"], totals["num_branches"]
    percent = 100 * covered / branches if branches else 100.0
    sys.stdout.write(f"{covered} of {branches} branches of wabot/ are covered: {percent:.1f} %\n")
    return 0 if percent >= minimum else 1


if __name__ == "__main__":
    sys.exit(main())
