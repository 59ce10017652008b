"""What a `Decimal` has to say of its digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.options import Add
from sternpost.kinds import DIGITS_MAX, EXTERNAL_DIGITS_MAX, NUMERIC


def digits_max(*, external: bool) -> int:
    """The most digits that a contract may ask for: a column of Sternpost's own holds fewer."""
    return EXTERNAL_DIGITS_MAX if external else DIGITS_MAX


def digits_of(options: Mapping[str, Any]) -> int:
    """How many digits a decimal has."""
    return options.get("max_digits") or (EXTERNAL_DIGITS_MAX if options.get("storage") == NUMERIC else DIGITS_MAX)


def check_digits(options: Mapping[str, Any], most: int, add: Add) -> None:
    """Reports places and digits that are missing, or contradict each other."""
    places, digits = options.get("decimal_places"), digits_of(options)
    if options.get("storage") == NUMERIC:
        if places is not None or digits > EXTERNAL_DIGITS_MAX:
            add(
                "storage",
                "SP205",
                f"storage={NUMERIC!r} is for a column whose values have as many decimal places as each was given, "
                f"and at most {EXTERNAL_DIGITS_MAX} digits before the point",
                f"leave decimal_places out, and choose max_digits ≤ {EXTERNAL_DIGITS_MAX}",
            )
    elif places is None:
        add("", "SP208", "a Decimal must declare how many decimal places it has", "write field(decimal_places=2)")
    elif not places <= digits <= most:
        add(
            "decimal_places",
            "SP205",
            f"decimal_places={places} and max_digits={digits} do not fit together",
            f"choose values with decimal_places ≤ max_digits ≤ {most}",
        )
