"""What planned conversions of a column's values have in common on all databases: which texts stand for which values."""

from __future__ import annotations

CONVERT = "sternpost_convert"
"""The function that SQLite's migrator has for it: a value, the form that it has, and the form that it gets."""

WHOLE_TEXT = r"[+-]?[0-9]+"
NUMBER_TEXT = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
UUID_TEXT = r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
DATE_TEXT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
ZONE_TEXT = r"(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])"
INSTANT_TEXT = rf"{DATE_TEXT}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?{ZONE_TEXT}?"
"""ISO 8601; without a zone it is UTC."""
