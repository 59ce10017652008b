"""Checks what is said about one value and turns it into a `FieldPlan`."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

from sternpost.compile.decimals import check_digits, digits_max, digits_of
from sternpost.compile.diagnostics import Report
from sternpost.compile.features import AUTOMATIC
from sternpost.compile.features.external import column as column_of
from sternpost.compile.features.external import storage as storage_of
from sternpost.compile.features.feature import Automatic
from sternpost.compile.names import SNAKE, a, camel, listed, snake
from sternpost.compile.options import FIELD, SCOPE, Add, Shape, is_names, is_whole, scope_of, shown, well_typed
from sternpost.compile.patterns import wrong_pattern
from sternpost.compile.types import FieldType
from sternpost.contract.fields import UNSET, FieldDeclaration, SumOf
from sternpost.contract.policy import Caller
from sternpost.contract.resource import Declaration, Payload
from sternpost.contract.source import Source, attribute_source
from sternpost.kinds import EXTERNAL_ITEMS_MAX, EXTERNAL_TEXT_MAX, ITEMS_MAX, KINDS, LIST_FILTERS, TEXT_MAX
from sternpost.plan.model import (
    Computed,
    FieldPlan,
    Generated,
    Kind,
    ListOf,
    MapOf,
    ObjectOf,
    OnDelete,
    PayloadPlan,
    WriteRule,
)
from sternpost.plan.structures import constant

RESERVED = frozenset(
    {
        "id",
        "meta",
        "data",
        "error",
        "page",
        "page_size",
        "sort",
        "include",
        "fields",
        "cursor",
        "is_owner",
        "eq",
        "ne",
        "gt",
        "gte",
        "lt",
        "lte",
        "in_",
        "is_null",  # what `this` offers in a policy
    }
)
LIST_PARAMETERS = frozenset({"count", "limit"})
"""Names of list parameters. A field may have such a name if it has no filter."""

_LENGTHS = {"min_length": 1, "max_length": 100, "decimal_places": 2, "max_digits": 12, "min_items": 1, "max_items": 20}
_INSTANT = Automatic("datetime", "datetime")
AUTO: dict[str, Automatic | None] = {"created": _INSTANT, "updated": _INSTANT, **AUTOMATIC, "database": None}
"""What fills a field in instead of clients, and which fields it is for; the database fills in any."""

_ITEMS = ("min_items", "max_items")
_BOUNDS = ("min_length", "max_length", "pattern", "ge", "le", "decimal_places", "max_digits")
WRITE_RULES: tuple[WriteRule, ...] = ("always", "create", "never")


class FieldCompiler:
    """Compiles the values of one class; mistakes go to `report`."""

    def __init__(
        self, declaration: Declaration, report: Report, payload: Callable[[type], PayloadPlan], *, external: bool
    ) -> None:
        self.declaration = declaration
        self.report = report
        self.payload = payload
        self.items_max = EXTERNAL_ITEMS_MAX if external else ITEMS_MAX
        self.digits_max = digits_max(external=external)
        self.text_max = EXTERNAL_TEXT_MAX if external else TEXT_MAX

    def scalar(self, name: str, declared: FieldDeclaration, found: FieldType) -> FieldPlan:
        """A field with a value of its own."""
        options: dict[str, Any] = {
            "default": UNSET,
            "write": None,
            "read": None,
            "sensitive": False,
            "filter": False,
            "unique": False,
            "auto": None,
            "description": "",
            **self.typed(name, declared.options, FIELD),
        }
        total = self._computed(name, declared.computed)
        self.check_name(name)
        self._check_constraints(name, found, options, computed=total is not None)
        self._check_auto(name, found.kind, options["auto"])
        value = self._value(name, found.leaf, options)
        read_scope = self._read_scope(name, options["read"])
        write, write_scope = writing(options["write"], read_scope, self._adder(name))
        plan = replace(
            self._structured(name, found, value, options),
            required=options["default"] is UNSET and not found.nullable and options["auto"] is None,
            write="never" if options["auto"] not in (None, "database") else write,
            description=options["description"],
            read_scope=read_scope,
            write_scope=write_scope,
            sensitive=bool(options["sensitive"]),
            unique=bool(options["unique"]),
            ignore_case=ignores_case(found, options["unique"], self._adder(name)),
            generated=cast("Generated | None", options["auto"] if options["auto"] in tuple(AUTO) else None),
            filters=self.filters(name, found.kind, found.nullable, options["filter"], of_list=_is_plain_list(found)),
            column=column_of(name, options.get("column")),
            storage=storage_of(found.kind, options.get("storage"), self._adder(name)),
        )
        if total is not None and not KINDS[found.kind].exact:
            return replace(plan, computed=total)  # reported together with the list that it sums over
        return self._with_default(replace(plan, computed=total), options["default"])

    def _value(self, name: str, found: FieldType, options: dict[str, Any]) -> FieldPlan:
        """A value that consists of no others but those of a payload; what limits it are the options of its field."""
        kind = KINDS[found.kind]
        minimum, maximum = self._bounds(name, found.kind, options)
        return FieldPlan(
            name=name,
            public_name=camel(name),
            kind=found.kind,
            nullable=found.nullable,
            required=True,
            min_length=options.get("min_length"),
            max_length=self._max_length(found, options),
            pattern=options.get("pattern") or (found.format.pattern if found.format else None),
            format=found.format.name if found.format else None,
            minimum=minimum,
            maximum=maximum,
            decimal_places=options.get("decimal_places"),
            max_digits=digits_of(options) if "max_digits" in kind.bounds else None,
            choices=found.choices,
            json_type=found.json_type,
            structure=self._object(name, found.payloads),
        )

    def _structured(self, name: str, found: FieldType, value: FieldPlan, options: Mapping[str, Any]) -> FieldPlan:
        """The value, in the lists and dictionaries that it stands in; the outermost has so many items."""
        if found.items is None:
            return value
        inner = self._structured(name, found.items, value, {})
        least, most = options.get("min_items") or 0, options.get("max_items") or self.items_max
        form = ListOf if found.json_type == "array" else MapOf
        return FieldPlan(
            name=name,
            public_name=camel(name),
            kind=found.kind,
            nullable=found.nullable,
            required=True,
            json_type=found.json_type,
            structure=form(inner, least, most),
        )

    def _object(self, name: str, classes: tuple[type[Payload], ...]) -> ObjectOf | None:
        """The payloads that an object may be."""
        if not classes:
            return None
        payloads = tuple(self.payload(cls) for cls in classes)
        if len(payloads) == 1:
            return ObjectOf(payloads)
        tags = [{each.name: each.choices for each in payload.fields if len(each.choices) == 1} for payload in payloads]
        told_apart = [
            tag
            for tag in tags[0]
            if all(tag in each for each in tags) and len({each[tag] for each in tags}) == len(payloads)
        ]
        if len(told_apart) != 1:
            self._add(
                name,
                "SP225",
                f"{listed(payload.name for payload in payloads)} cannot be told apart"
                if not told_apart
                else f"{listed(payload.name for payload in payloads)} are told apart by several fields, "
                f"{listed(told_apart)}",
                'give each of them one field with a value of its own, such as kind: Literal["card"]',
            )
            return ObjectOf(payloads[:1])
        return ObjectOf(payloads, told_apart[0])

    def typed(self, name: str, options: dict[str, Any], shapes: dict[str, Shape]) -> dict[str, Any]:
        """The options of one declaration without those of a wrong type, which are reported."""
        return well_typed(options, shapes, self._adder(name))

    def reference(self, relation: str, target: str, nullable: bool, options: dict[str, Any]) -> FieldPlan:
        """The foreign key of a `One[…]` relation."""
        name = f"{relation}_id"
        default = options.get("default", UNSET)
        if default is not UNSET and not isinstance(default, Caller) and default is not None:
            self._add(
                relation,
                "SP313",
                f"the default of a relation is {shown(default)}, but it can only be caller or None",
                "write default=caller, or leave it out",
                "default",
            )
        if default is None and not nullable:
            self._add(
                relation,
                "SP313",
                "the default is None, but the reference may not be null",
                f"write {relation}: One[{target}] | None, or remove the default",
                "default",
            )
        on_delete = self._choice(
            relation, "on_delete", options.get("on_delete", "restrict"), ("restrict", "cascade", "set_null")
        )
        if on_delete == "set_null" and not nullable:  # pyright: ignore[reportUnnecessaryComparison]
            self._add(
                relation,
                "SP307",
                'on_delete="set_null" needs a reference that may be null',
                f"write {relation}: One[{target}] | None, or choose another on_delete",
                "on_delete",
            )
        auto = options.get("auto")
        if auto is not None:
            self._choice(relation, "auto", auto, ("database",))
        read_scope = self._read_scope(relation, options.get("read"))
        write, write_scope = writing(options.get("write"), read_scope, self._adder(relation))
        return FieldPlan(
            name=name,
            public_name=camel(name),
            kind="id",
            nullable=nullable,
            required=default is UNSET and not nullable and auto is None,
            write=write,
            description=options.get("description", ""),
            read_scope=read_scope,
            write_scope=write_scope,
            unique=bool(options.get("unique")),
            generated="database" if auto == "database" else None,
            caller_default=isinstance(default, Caller),
            references=target,
            on_delete=cast("OnDelete", on_delete),
            filters=self.filters(relation, "id", nullable, options.get("filter", False)),
            column=column_of(name, options.get("column")),
            storage=storage_of("id", options.get("storage"), self._adder(relation)),
        )

    def filters(self, name: str, kind: Kind, nullable: bool, wanted: Any, *, of_list: bool = False) -> tuple[str, ...]:
        """The filter operators that lists allow on a field."""
        possible = (LIST_FILTERS if of_list else KINDS[kind].filters) + (("isNull",) if nullable else ())
        if not wanted:
            return ()
        if name in LIST_PARAMETERS:
            self._add(
                name,
                "SP209",
                f"the field cannot have a filter, because lists already have a parameter named {name!r}",
                "remove filter, or rename the field",
                "filter",
            )
        if wanted is True:
            if not possible:
                self._add(name, "SP214", f"{a(kind)} cannot be filtered", "leave filter out", "filter")
            return possible
        unknown = [operator for operator in wanted if operator not in possible]
        if unknown:
            self._add(
                name,
                "SP214",
                f"{a(f'nullable {kind}') if nullable else a(kind)} has no filter {listed(unknown)}",
                f"use some of {listed(possible)}",
                "filter",
            )
        return tuple(operator for operator in possible if operator in wanted)

    def check_name(self, name: str) -> None:
        """A name must be valid in JSON and in tables, and must have no other meaning there or in a policy."""
        if name in RESERVED or name.startswith("_"):
            self._add(name, "SP209", f"the name {name!r} is reserved", "choose another name")
        elif keyword.iskeyword(name):
            self._add(name, "SP219", f"the name {name!r} is a keyword of Python", "choose another name")
        elif not SNAKE.fullmatch(name):
            self._add(
                name,
                "SP219",
                f"the name {name!r} is not in lower case with underscores",
                f"rename it, for example to {snake(name)}"
                if name.isascii() and SNAKE.fullmatch(snake(name))
                else "use a to z, 0 to 9 and single underscores",
            )

    def _check_constraints(self, name: str, found: FieldType, options: dict[str, Any], *, computed: bool) -> None:
        kind = found.leaf.kind
        bounds = (*KINDS[kind].bounds, *(_ITEMS if found.items is not None else ()))
        for option in (*_BOUNDS, *_ITEMS):
            if options.get(option) is not None and option not in bounds:
                those = ("list[…]", "dict[str, …]") if option in _ITEMS else _kinds_with(option)
                self._add(
                    name,
                    "SP204",
                    f"{option} does not apply to {a(kind)}",
                    f"remove {option}; it is only for {listed(those)}",
                    option,
                )
                options[option] = None
        for option, example in _LENGTHS.items():
            value = options.get(option)
            least = 1 if option in ("max_length", "max_digits", "max_items") else 0
            if value is not None and (not is_whole(value) or value < least):
                self._add(
                    name,
                    "SP217",
                    f"{option}={shown(value)} is not a whole number of at least {least}",
                    f"write, for example, {option}={example}",
                    option,
                )
                options[option] = None
                if option == "decimal_places":
                    computed = True  # report the mistake once: do not also report that it is missing
        if (options.get("min_items") or 0) > (most_items := options.get("max_items") or self.items_max):
            said = "" if options.get("max_items") else ", the default maximum"
            self._add(
                name,
                "SP205",
                f"min_items={options['min_items']} is greater than max_items={most_items}{said}",
                "make min_items smaller or max_items greater",
                "min_items",
            )
        if "pattern" in bounds:
            self._check_pattern(name, options)
        if "max_length" in bounds:
            most = self._max_length(found.leaf, options) or self.text_max
            if (options.get("min_length") or 0) > most:
                said = "" if options.get("max_length") else ", the default maximum"
                self._add(
                    name,
                    "SP205",
                    f"min_length={options['min_length']} is greater than max_length={most}{said}",
                    "make min_length smaller or max_length greater",
                    "min_length",
                )
        if "decimal_places" in bounds and not computed:  # a computed value takes its places from its factors
            check_digits(options, self.digits_max, self._adder(name))

    def _check_pattern(self, name: str, options: dict[str, Any]) -> None:
        pattern = options.get("pattern")
        reason = wrong_pattern(pattern) if pattern is not None else None
        if reason is not None:
            self._add(
                name,
                "SP207",
                f"the pattern {shown(pattern)} cannot be used: {reason}",
                'correct it; an example of a valid pattern is "^[a-z]+$"',
                "pattern",
            )
            options["pattern"] = None

    def _check_auto(self, name: str, kind: Kind, auto: Any) -> None:
        if auto is None:
            return
        self._choice(name, "auto", auto, tuple(AUTO))
        fitting = AUTO.get(auto, _INSTANT) if isinstance(auto, str) else _INSTANT
        if fitting is not None and kind != fitting.kind:
            self._add(
                name,
                "SP215",
                f"auto={shown(auto)} needs a field of type {fitting.type}, but this is {a(kind)}",
                f"give it the type {fitting.type}, or remove auto",
                "auto",
            )

    def _bounds(self, name: str, kind: Kind, options: dict[str, Any]) -> tuple[Any, Any]:
        low, high = (self._bound(name, kind, option, options.get(option)) for option in ("ge", "le"))
        read = KINDS[kind].read
        if low is not None and high is not None and read(low) > read(high):
            self._add(
                name,
                "SP205",
                f"ge={options['ge']} is greater than le={options['le']}",
                "make ge smaller or le greater",
                "ge",
            )
        return (KINDS[kind].least if low is None else low), (KINDS[kind].most if high is None else high)

    def _bound(self, name: str, kind: Kind, option: str, value: Any) -> Any:
        known = KINDS[kind]
        if value is None or option not in known.bounds:
            return None
        converted = known.constant(value, None)
        if converted is None or ("max_digits" in known.bounds and Decimal(converted).adjusted() >= self.digits_max):
            self._add(
                name,
                "SP206",
                f"{option}={shown(value)} is not {known.described}",
                f"write, for example, {option}={known.example}",
                option,
            )
            return None
        return converted

    def _max_length(self, found: FieldType, options: dict[str, Any]) -> int | None:
        if "max_length" not in KINDS[found.kind].bounds:
            return None
        return options.get("max_length") or (found.format.max_length if found.format else self.text_max)

    def _read_scope(self, name: str, scope: Any) -> str | None:
        if scope is not None and not (isinstance(scope, str) and SCOPE.fullmatch(scope)):
            self._add(
                name, "SP506", f"read={shown(scope)} is not a scope", 'write a scope such as read="users:read"', "read"
            )
            return None
        return scope

    def _choice(self, name: str, option: str, value: Any, allowed: tuple[str, ...]) -> str:
        if value not in allowed:
            self._add(name, "SP216", f"{option}={shown(value)} is unknown", f"use one of {listed(allowed)}", option)
            return allowed[0]
        return value

    def _with_default(self, plan: FieldPlan, default: Any) -> FieldPlan:
        if default is not UNSET and default is not None:
            converted = constant(plan, default)
            if converted is None:
                self._add(
                    plan.name,
                    "SP206",
                    f"the default {shown(default)} does not fit the field",
                    _default_fix(plan),
                    "default",
                )
            plan = replace(plan, default=converted)
        elif default is None and not plan.nullable:
            self._add(
                plan.name,
                "SP206",
                "the default is None, but the type of the field does not allow None",
                "add | None to the type, or choose another default",
                "default",
            )
        return plan

    def _computed(self, name: str, declared: Any) -> Computed | None:
        if declared is UNSET:
            return None
        if not (isinstance(declared, SumOf) and is_names((declared.relation, *declared.factors))):
            self._add(
                name,
                "SP311",
                f"computed({shown(declared)}) is not a sum over an owned list",
                'write computed(sum_of("items", "quantity"))',
            )
            return None
        return Computed(declared.relation, declared.factors)

    def where(self, name: str, keyword: str | None = None) -> Source:
        return attribute_source(self.declaration.source, self.declaration.name, name, keyword)

    def _adder(self, name: str) -> Add:
        return lambda option, code, message, fix: self._add(name, code, message, fix, option)

    def _add(self, name: str, code: str, message: str, fix: str, keyword: str | None = None) -> None:
        self.report.add(self.where(name, keyword), code, f"{self.declaration.name}.{name}: {message}", fix)


def _default_fix(plan: FieldPlan) -> str:
    if plan.choices:
        return f"use one of {listed(plan.choices)}"
    if plan.structure is not None:
        return "use a value of the declared type, within its limits"
    known = KINDS[plan.kind]
    within = " that the field's constraints allow" if known.bounds else ""
    return f"use {known.described}{within}"


def _is_plain_list(found: FieldType) -> bool:
    """Whether it is a list of single values, by which rows can be found."""
    return found.json_type == "array" and found.items is not None and found.items.kind != "json"


def _kinds_with(bound: str) -> list[str]:
    return [kind.name for kind in KINDS.values() if bound in kind.bounds]


def ignores_case(found: FieldType, unique: Any, add: Add) -> bool:
    """Whether values are unique ignoring case; reports types whose values cannot be unique so, or at all."""
    if unique and not KINDS[found.kind].can_be_unique:
        add("unique", "SP213", f"{a(found.kind)} cannot be unique", "leave unique out")
    elif unique == "nocase" and (found.kind != "string" or found.choices):
        kind = "one of several words" if found.choices else a(found.kind)
        add("unique", "SP213", f'unique="nocase" is for text, and this is {kind}', "write unique=True")
    return unique == "nocase"


def writing(write: Any, read_scope: str | None, add: Add) -> tuple[WriteRule, str | None]:
    """When clients may set a field, and the scope that they need; by default who may not read it may not write it."""
    if write is None:
        return "always", read_scope
    if (scope := scope_of(write)) is not None:
        return "always", scope
    if write in WRITE_RULES:
        return write, None
    fix = f'use one of {listed(WRITE_RULES)}, or a scope such as scope("users:write")'
    add("write", "SP216", f"write={shown(write)} is unknown", fix)
    return "always", None
