"""The options of an inferred field that its column's conditions and default amount to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from sternpost.infer.model import InferredField
from sternpost.kinds import EXACT, EXTERNAL_DIGITS_MAX, EXTERNAL_TEXT_MAX, KINDS
from sternpost.plan.model import FieldPlan, Kind
from sternpost.plan.rules import ColumnRule, Length, OneOf, Range
from sternpost.storage.sql.tables import FoundColumn


def apply_rule(found: InferredField, rule: ColumnRule) -> bool:
    """Puts what a condition says into a field's options; False where they cannot say it, and then nothing changes."""
    tried = replace(found, options=dict(found.options))
    if not (_said(tried, rule) and _is_sound(tried)):
        return False
    found.kind, found.choices, found.options = tried.kind, tried.choices, tried.options
    return True


def _said(found: InferredField, rule: ColumnRule) -> bool:
    match found.kind, rule:
        case "string" | "enum", OneOf():
            values = tuple(dict.fromkeys(rule.values))
            found.choices = tuple(value for value in found.choices or values if value in values)
            found.kind = "enum"
            for option in ("max_length", "min_length"):
                found.options.pop(option, None)
            return True
        case "string" | "enum", Length():
            return _apply_length(found, rule)
        case "integer", Range():
            return _apply_range(found, rule, int, 1)
        case "decimal", Range():
            places = found.options.get("decimal_places")
            with localcontext(EXACT):
                return _apply_range(found, rule, Decimal, None if places is None else Decimal((0, (1,), -places)))
        case "number", Range():
            return _apply_range(found, rule, float, None)
        case "boolean", OneOf():
            return set(rule.values) == {"0", "1"}
        case _:
            return False


def _is_sound(found: InferredField) -> bool:
    """Whether some value fulfils the options, and their bounds are values of the kind."""
    kind, options = KINDS[found.kind], found.options
    bounds = [kind.constant(options[name], None) for name in ("ge", "le") if name in options]
    if None in bounds or (len(bounds) == 2 and kind.read(bounds[0]) > kind.read(bounds[1])):
        return False
    if found.kind == "string":
        most = options.get("max_length", EXTERNAL_TEXT_MAX)
        return options.get("min_length", 0) <= most and most > 0
    return found.kind != "enum" or bool(found.choices)


def _apply_length(found: InferredField, rule: Length) -> bool:
    if found.kind == "enum":  # its values are known, and a list of them says more
        return rule.least == 1 and "" not in found.choices
    if rule.least is not None:
        found.options["min_length"] = max(rule.least, found.options.get("min_length", 0))
        return True
    if rule.most is None or rule.most > EXTERNAL_TEXT_MAX:
        return False
    found.options["max_length"] = min(rule.most, found.options.get("max_length", EXTERNAL_TEXT_MAX))
    return True


def _apply_range(found: InferredField, rule: Range, convert: Callable[[Any], Any], step: Any) -> bool:
    """`step` is the distance to the next value, by which a bound that is excluded becomes one that is not."""
    excluded = rule.above or rule.below
    bound = Decimal(str(rule.least if rule.least is not None else rule.most))
    if abs(bound.adjusted()) > EXTERNAL_DIGITS_MAX or KINDS[found.kind].constant(convert(bound), None) is None:
        return False
    if (excluded and step is None) or (step is not None and not _is_whole(bound / step)):
        return False
    value = convert(bound)
    if rule.least is not None:
        low = value + step if rule.above else value
        found.options["ge"] = max(low, found.options.get("ge", low))
    else:
        high = value - step if rule.below else value
        found.options["le"] = min(high, found.options.get("le", high))
    return True


def apply_default(found: InferredField) -> None:
    """The default of the column, where a contract can say it."""
    column = found.column
    if column.generated:
        found.options.update(auto="database", write="never")
        return
    if column.counted:
        found.options["auto"] = "database"
        return
    text = default_of(column)
    if text is None:
        return
    literal = _literal(text)
    value = None if literal is None else _typed(found, literal)
    if value is None:
        found.options["auto"] = "database"
    else:
        found.options["default"] = value


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def default_of(column: FoundColumn) -> str | None:
    """The default in SQL without parentheses and casts around it; None where that is NULL."""
    text = _unwrapped(column.default)
    return None if text is None or text.upper() == "NULL" else text


def _unwrapped(default: str | None) -> str | None:
    text = default
    while text:
        inner = re.fullmatch(r"\((.*)\)", text.strip(), re.DOTALL) or re.fullmatch(
            r"(.*)::[\w\s.\"]+(\(\d+(,\s*\d+)?\))?(\[\])*", text.strip(), re.DOTALL
        )
        if inner is None:
            return text.strip()
        text = inner[1]
    return None


def _literal(text: str) -> str | None:
    if re.fullmatch(r"'(?:[^']|'')*'", text):
        return text[1:-1].replace("''", "'")
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text) or text.lower() in ("true", "false"):
        return text.lower()
    return None


def _typed(found: InferredField, text: str) -> Any:
    """A literal as a default of the kind, or None."""
    kind = found.kind
    if kind in ("string", "enum"):
        return text
    if found.element is not None:
        return [] if text == "{}" else None
    if kind == "json":
        return {} if text == "{}" else [] if text == "[]" else None
    if kind == "boolean":
        return {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}.get(text)
    number = _number(text)
    if number is None:
        return None
    if kind == "integer":
        return int(number) if number == int(number) else None
    return {"decimal": number, "number": float(number)}.get(kind)


def leave_unfit_default(found: InferredField) -> None:
    """Leaves a default that does not keep the field's own rules to the database, so that nothing is sent for it."""
    if "default" in found.options and not _fits(found):
        del found.options["default"]
        found.options["auto"] = "database"


def _fits(found: InferredField) -> bool:
    options = found.options
    plan = FieldPlan(
        name=found.name,
        public_name=found.name,
        kind=found.kind,
        min_length=options.get("min_length"),
        max_length=options.get("max_length", EXTERNAL_TEXT_MAX if found.kind == "string" else None),
        minimum=_as_bound(found.kind, options.get("ge"), -(2**63)),
        maximum=_as_bound(found.kind, options.get("le"), 2**63 - 1),
        decimal_places=options.get("decimal_places"),
        max_digits=options.get("max_digits"),
        choices=found.choices,
    )
    return KINDS[found.kind].constant(options["default"], plan) is not None


def _as_bound(kind: Kind, value: Any, otherwise: int) -> Any:
    if kind == "integer":
        return otherwise if value is None else value
    return str(value) if isinstance(value, Decimal) else value
