"""Checks what is said about one value and turns it into a `FieldPlan`."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import camel, listed
from sternpost.compile.types import FieldType
from sternpost.contract.fields import UNSET, FieldDeclaration
from sternpost.contract.policy import Caller
from sternpost.contract.resource import Declaration
from sternpost.contract.source import Source, attribute_source
from sternpost.plan.model import Computed, FieldPlan, Generated, Kind, OnDelete, WriteRule

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
SAFE_DIGITS = 18
"""Decimals are kept as 64-bit integers where the database has no exact type, which hold 18 full digits."""

TEXT_MAX = 10_000
"""Characters a string may have when the contract does not say: nothing that arrives is without a bound."""

OPERATORS: dict[Kind, tuple[str, ...]] = {
    "id": ("eq", "ne", "in"),
    "string": ("eq", "ne", "in", "contains", "startsWith"),
    "integer": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "number": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "decimal": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "datetime": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "date": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "boolean": ("eq", "ne"),
    "uuid": ("eq", "ne", "in"),
    "enum": ("eq", "ne", "in"),
    "json": (),
}
RESERVED = frozenset({"id", "meta", "data", "error", "page", "page_size", "sort", "include", "fields", "cursor"})
SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]*")
_APPLIES: dict[str, tuple[Kind, ...]] = {
    "min_length": ("string",), "max_length": ("string",), "pattern": ("string",),
    "ge": ("integer", "number", "decimal", "date", "datetime"), "le": ("integer", "number", "decimal", "date", "datetime"),
    "decimal_places": ("decimal",), "max_digits": ("decimal",),
}


class FieldCompiler:
    """Compiles the values of one class; `report` gets what is wrong."""

    def __init__(self, declaration: Declaration, report: Report) -> None:
        self.declaration = declaration
        self.report = report

    def scalar(self, name: str, declared: FieldDeclaration, found: FieldType) -> FieldPlan:
        """A field with a value of its own."""
        options = {"default": UNSET, "write": "always", "read": None, "sensitive": False, "filter": False,
                   "unique": False, "auto": None, "description": "", **declared.options}
        self._check_name(name)
        self._check_constraints(name, found.kind, options)
        self._check_auto(name, found.kind, options["auto"])
        minimum, maximum = self._bounds(name, found.kind, options)
        plan = FieldPlan(
            name=name,
            public_name=camel(name),
            kind=found.kind,
            nullable=found.nullable,
            required=options["default"] is UNSET and not found.nullable and options["auto"] is None,
            default=None,
            write="never" if options["auto"] else self._choice(name, "write", options["write"], ("always", "create", "never")),
            description=options["description"],
            read_scope=self._read_scope(name, options["read"]),
            hidden=False,
            sensitive=bool(options["sensitive"]),
            unique=self._unique(name, found.kind, options["unique"]),
            generated=cast("Generated | None", options["auto"] if options["auto"] in ("created", "updated") else None),
            caller_default=False,
            computed=None,
            min_length=options.get("min_length"),
            max_length=self._max_length(found, options),
            pattern=options.get("pattern") or (found.format.pattern if found.format else None),
            format=found.format.name if found.format else None,
            minimum=minimum,
            maximum=maximum,
            decimal_places=options.get("decimal_places"),
            max_digits=options.get("max_digits") or (SAFE_DIGITS if found.kind == "decimal" else None),
            choices=found.choices,
            references=None,
            on_delete=None,
            filters=self.filters(name, found.kind, found.nullable, options["filter"]),
        )
        return self._with_default(replace(plan, computed=_computed(declared)), options["default"])

    def reference(self, relation: str, target: str, nullable: bool, options: dict[str, Any]) -> FieldPlan:
        """The foreign key of a `One[…]` relation."""
        name = f"{relation}_id"
        default = options.get("default", UNSET)
        if default is not UNSET and not isinstance(default, Caller) and default is not None:
            self._add(relation, "SP313", f"the default {default!r} of a relation is neither caller nor None",
                      "write default=caller, or leave it out", "default")
        on_delete = self._choice(relation, "on_delete", options.get("on_delete", "restrict"), ("restrict", "cascade", "set_null"))
        if on_delete == "set_null" and not nullable:
            self._add(relation, "SP307", "the reference may not be null, but on_delete=\"set_null\" would make it so",
                      f"write {relation}: One[{target}] | None, or another on_delete", "on_delete")
        return FieldPlan(
            name=name, public_name=camel(name), kind="id", nullable=nullable,
            required=default is UNSET and not nullable, default=None,
            write=self._choice(relation, "write", options.get("write", "always"), ("always", "create", "never")),
            description=options.get("description", ""), read_scope=self._read_scope(relation, options.get("read")),
            hidden=False, sensitive=False, unique=bool(options.get("unique")), generated=None, caller_default=isinstance(default, Caller),
            computed=None, min_length=None, max_length=None, pattern=None, format=None, minimum=None, maximum=None,
            decimal_places=None, max_digits=None, choices=(), references=target, on_delete=cast("OnDelete", on_delete),
            filters=self.filters(relation, "id", nullable, options.get("filter", False)),
        )

    def filters(self, name: str, kind: Kind, nullable: bool, wanted: Any) -> tuple[str, ...]:
        """The filter operators that lists allow on a field."""
        possible = OPERATORS[kind] + (("isNull",) if nullable else ())
        if not wanted:
            return ()
        if wanted is True:
            if not possible:
                self._add(name, "SP214", f"a {kind} cannot be filtered", "leave filter out", "filter")
            return possible
        unknown = [operator for operator in wanted if operator not in possible]
        if unknown:
            self._add(name, "SP214", f"a {'nullable ' if nullable else ''}{kind} has no filter {listed(unknown)}",
                      f"use some of {listed(possible)}", "filter")
        return tuple(operator for operator in possible if operator in wanted)

    def _check_name(self, name: str) -> None:
        if name in RESERVED or name.startswith("_") or name == "is_owner":
            self._add(name, "SP209", f"the name {name!r} is reserved", "choose another name")

    def _check_constraints(self, name: str, kind: Kind, options: dict[str, Any]) -> None:
        for option, kinds in _APPLIES.items():
            if options.get(option) is not None and kind not in kinds:
                self._add(name, "SP204", f"{option} does not apply to a {kind}",
                          f"leave {option} out; it is for {listed(kinds)}", option)
        for option in ("min_length", "max_length", "decimal_places", "max_digits"):
            value = options.get(option)
            least = 1 if option in ("max_length", "max_digits") else 0
            if value is not None and (not isinstance(value, int) or value < least):
                self._add(name, "SP217", f"{option}={value!r} is not a whole number of at least {least}",
                          "give it such a number", option)
                options[option] = None
        if kind == "string":
            self._check_pattern(name, options.get("pattern"))
            if (options.get("min_length") or 0) > (options.get("max_length") or INT64_MAX):
                self._add(name, "SP205", f"min_length={options['min_length']} is greater than max_length={options['max_length']}",
                          "swap or correct them", "min_length")
        if kind == "decimal":
            self._check_decimal(name, options)

    def _check_pattern(self, name: str, pattern: Any) -> None:
        if pattern is None:
            return
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            self._add(name, "SP207", f"the pattern {pattern!r} is not a regular expression ({error})", "correct the pattern", "pattern")

    def _check_decimal(self, name: str, options: dict[str, Any]) -> None:
        places, digits = options.get("decimal_places"), options.get("max_digits")
        if places is None:
            self._add(name, "SP208", "a Decimal does not say how many decimal places it keeps",
                      "write field(decimal_places=2)")
        elif places > (digits or SAFE_DIGITS) or (digits or 0) > SAFE_DIGITS:
            self._add(name, "SP205", f"decimal_places={places} and max_digits={digits or SAFE_DIGITS} do not fit together",
                      f"keep decimal_places ≤ max_digits ≤ {SAFE_DIGITS}", "decimal_places")

    def _check_auto(self, name: str, kind: Kind, auto: Any) -> None:
        if auto is None:
            return
        self._choice(name, "auto", auto, ("created", "updated"))
        if kind != "datetime":
            self._add(name, "SP215", f"auto={auto!r} is for a datetime, but this is a {kind}", "make it a datetime", "auto")

    def _bounds(self, name: str, kind: Kind, options: dict[str, Any]) -> tuple[Any, Any]:
        low, high = (self._bound(name, kind, option, options.get(option)) for option in ("ge", "le"))
        if low is not None and high is not None and _ordered(low) > _ordered(high):
            self._add(name, "SP205", f"ge={options['ge']} is greater than le={options['le']}", "swap or correct them", "ge")
        if kind == "integer":
            return (INT64_MIN if low is None else low), (INT64_MAX if high is None else high)
        return low, high

    def _bound(self, name: str, kind: Kind, option: str, value: Any) -> Any:
        if value is None or kind not in _APPLIES[option]:
            return None
        converted = constant(kind, value)
        if converted is None or (kind == "integer" and not INT64_MIN <= value <= INT64_MAX):
            self._add(name, "SP206", f"{option}={value!r} is not a {kind}", f"give it a {kind}", option)
            return None
        return converted

    def _max_length(self, found: FieldType, options: dict[str, Any]) -> int | None:
        if found.kind != "string":
            return None
        return options.get("max_length") or (found.format.max_length if found.format else TEXT_MAX)

    def _unique(self, name: str, kind: Kind, unique: Any) -> bool:
        if unique and kind in ("json", "boolean"):
            self._add(name, "SP213", f"a {kind} cannot be unique", "leave unique out", "unique")
        return bool(unique)

    def _read_scope(self, name: str, scope: Any) -> str | None:
        if scope is not None and not (isinstance(scope, str) and SCOPE.fullmatch(scope)):
            self._add(name, "SP506", f"{scope!r} is not a scope", 'write a scope such as "users:read"', "read")
            return None
        return scope

    def _choice(self, name: str, option: str, value: Any, allowed: tuple[str, ...]) -> WriteRule:
        if value not in allowed:
            self._add(name, "SP216", f"{option}={value!r} is unknown", f"use one of {listed(allowed)}", option)
            return cast("WriteRule", allowed[0])
        return value

    def _with_default(self, plan: FieldPlan, default: Any) -> FieldPlan:
        if default is not UNSET and default is not None:
            converted = constant(plan.kind, default, plan)
            if converted is None:
                self._add(plan.name, "SP206", f"the default {default!r} does not fit the field", _default_fix(plan), "default")
            plan = replace(plan, default=converted)
        elif default is None and not plan.nullable:
            self._add(plan.name, "SP206", "the default is None, but the field may not be null",
                      "add | None to its type, or choose another default", "default")
        return plan

    def where(self, name: str, keyword: str | None = None) -> Source:
        return attribute_source(self.declaration.source, self.declaration.name, name, keyword)

    def _add(self, name: str, code: str, message: str, fix: str, keyword: str | None = None) -> None:
        self.report.add(self.where(name, keyword), code, f"{self.declaration.name}.{name}: {message}", fix)


def _computed(declared: FieldDeclaration) -> Computed | None:
    return Computed(declared.computed.relation, declared.computed.factors) if declared.computed else None


def _ordered(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) and re.fullmatch(r"-?[\d.]+", value) else value


def _default_fix(plan: FieldPlan) -> str:
    return f"use one of {listed(plan.choices)}" if plan.choices else f"use a {plan.kind} within the field's constraints"


def constant(kind: Kind, value: Any, plan: FieldPlan | None = None) -> Any:
    """A constant of a contract as JSON-ready data, or None where it does not fit the kind (or the field's constraints)."""
    match kind:
        case "string" if isinstance(value, str):
            return value if plan is None or _text_fits(plan, value) else None
        case "integer" if isinstance(value, int) and not isinstance(value, bool):
            return value if plan is None or cast("int", plan.minimum) <= value <= cast("int", plan.maximum) else None
        case "number" if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) if plan is None or _within(plan, value) else None
        case "boolean" if isinstance(value, bool):
            return value
        case "decimal" if isinstance(value, Decimal | int | str) and not isinstance(value, bool):
            return _decimal(value, plan)
        case "datetime" if isinstance(value, datetime) and value.tzinfo is not None:
            return value.isoformat().replace("+00:00", "Z")
        case "date" if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        case "enum" if isinstance(value, str):
            return str(value) if plan is None or value in plan.choices else None
        case "uuid":
            return str(value)
        case "json":
            return value
        case _:
            return None


def _text_fits(plan: FieldPlan, value: str) -> bool:
    long_enough = (plan.min_length or 0) <= len(value) <= (plan.max_length or TEXT_MAX)
    return long_enough and (plan.pattern is None or re.search(plan.pattern, value) is not None)


def _within(plan: FieldPlan, value: float) -> bool:
    low, high = cast("float | None", plan.minimum), cast("float | None", plan.maximum)
    return (low is None or low <= value) and (high is None or value <= high)


def _decimal(value: Decimal | int | str, plan: FieldPlan | None) -> str | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if plan is None:
        return str(number)
    fits = all(
        bound is None or compare(number, Decimal(bound))
        for bound, compare in ((plan.minimum, Decimal.__ge__), (plan.maximum, Decimal.__le__))
    )
    places = plan.decimal_places or 0
    rounded = round(number, places)
    return str(rounded) if fits and rounded == number else None
