"""Compares two folders of fixtures: same files, same structure, same numbers but for rounding.

    python golden/compare.py EXPECTED FOUND
"""

import json
import math
import pathlib
import sys

# Another processor adds in another order: float64 rounding grows to this over ten training steps.
RELATIVE, ABSOLUTE = 1e-9, 1e-11


def differences(expected, found, where):
    """A line for each place where the two differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            yield f"{where}: keys {sorted(expected)} became {sorted(found)}"
        for key in expected.keys() & found.keys():
            yield from differences(expected[key], found[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{where}: {len(expected)} items became {len(found)}"
        for index, pair in enumerate(zip(expected, found)):
            yield from differences(*pair, f"{where}[{index}]")
    elif not same(expected, found):
        yield f"{where}: {expected!r} became {found!r}"


def same(expected, found):
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (expected, found))
    if numbers:
        return math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return expected == found


def fixtures(folder):
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(pathlib.Path(folder).glob("*.json"))}


def main():
    expected, found = map(fixtures, sys.argv[1:3])
    lines = list(differences(expected, found, "fixtures"))
    print("\n".join(lines[:20]) if lines else f"{len(expected)} fixtures agree")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
