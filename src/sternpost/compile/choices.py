"""Checks what is said about the values of an enum: their labels, and that they have an order."""

from __future__ import annotations

from typing import Any

from sternpost.compile.names import a, listed
from sternpost.compile.options import Add, shown
from sternpost.compile.types import FieldType


def check_choices(found: FieldType, options: dict[str, Any], add: Add) -> None:
    """Reports labels and an order that do not fit, and takes them out of the options."""
    leaf = found.leaf
    if options["labels"] is not None and not leaf.choices:
        fix = "remove labels; they are for the values of Literal[…] or of a StrEnum"
        add("labels", "SP226", f"{a(leaf.kind)} has no values that could have labels", fix)
        options["labels"] = None
    if options["ordered"] and (not leaf.choices or found.items is not None):
        what = "a list or a dictionary" if found.items is not None else a(leaf.kind)
        fix = "remove ordered; it is for a field that is one of the values of Literal[…] or of a StrEnum"
        add("ordered", "SP226", f"{what} has no values whose declaration is their order", fix)
        options["ordered"] = False
    if options["labels"] is not None:
        options["labels"] = _covering(leaf.choices, options["labels"], add)


def _covering(choices: tuple[str, ...], labels: dict[str, str], add: Add) -> dict[str, str] | None:
    """The labels by the values; None where some are missing, or are for no value."""
    missing = [choice for choice in choices if choice not in labels]
    unknown = [label for label in labels if label not in choices]
    if missing:
        add("labels", "SP226", f"{listed(map(shown, missing))} has no label", "give each of the values one")
    if unknown:
        fix = f"use {listed(choices)}"
        add("labels", "SP226", f"there is a label for {listed(map(shown, unknown))}, which is no value", fix)
    return None if missing or unknown else labels
