"""The options of an inferred field that its column's conditions and default amount to."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

from sternpost.infer.model import InferredField
from sternpost.kinds import EXACT, EXTERNAL_TEXT_MAX, KINDS
from sternpost.plan.model import FieldPlan, Kind
from sternpost.plan.rules import ColumnRule, Length, OneOf, Range


def apply_rule(found: InferredField, rule: ColumnRule) -> bool:
    """Puts what a condition says into a field's options; False where they cannot say it."""
    match found.kind, rule:
        case "string" | "enum", OneOf():
            found.kind, found.choices = "enum", tuple(dict.fromkeys(rule.values))
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


def _apply_length(found: InferredField, rule: Length) -> bool:
    if found.kind == "enum":  # its values are known, and a list of them says more
        return rule.least == 1 and "" not in found.choices
    if rule.least is not None:
        found.options["min_length"] = max(rule.least, found.options.get("min_length", 0))
        return True
    if rule.most is None:
        return False
    found.options["max_length"] = min(rule.most, found.options.get("max_length", EXTERNAL_TEXT_MAX))
    return rule.most > 0


def _apply_range(found: InferredField, rule: Range, convert: Callable[[Any], Any], step: Any) -> bool:
    """`step` is the distance to the next value, by which a bound that is excluded becomes one that is not."""
    excluded = rule.above or rule.below
    bound = Decimal(str(rule.least if rule.least is not None else rule.most))
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
    text = _unwrapped(column.default)
    if text is None or text.upper() == "NULL":
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


def _unwrapped(default: str | None) -> str | None:
    """A default without parentheses and casts around it."""
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


def fits(found: InferredField) -> bool:
    """Whether the default keeps the field's own rules; one that does not stays with the database."""
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
