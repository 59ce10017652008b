"""Checks what is said about one value and turns it into a `FieldPlan`."""

from __future__ import annotations

import keyword
from dataclasses import replace
from typing import Any, cast

from sternpost.compile.choices import check_choices
from sternpost.compile.features import AUTOMATIC
from sternpost.compile.features.external import column as column_of
from sternpost.compile.features.external import storage as storage_of
from sternpost.compile.features.feature import Automatic
from sternpost.compile.names import SNAKE, a, camel, listed, snake
from sternpost.compile.options import FIELD, SCOPE, Add, is_names, scope_of, shown
from sternpost.compile.types import FieldType
from sternpost.compile.values import ValueCompiler
from sternpost.contract.fields import UNSET, ByFunction, FieldDeclaration, OverRows, SumOf
from sternpost.contract.policy import Caller
from sternpost.kinds import ANYTHING, KINDS, LIST_FILTERS, RANKED
from sternpost.plan.model import (
    Computed,
    FieldPlan,
    Generated,
    InPython,
    Kind,
    OnDelete,
    WriteRule,
)
from sternpost.plan.structures import constant, parts_of

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

_INSTANT = Automatic("datetime", "datetime")
AUTO: dict[str, Automatic | None] = {"created": _INSTANT, "updated": _INSTANT, **AUTOMATIC, "database": None}
"""What fills a field in instead of clients, and which fields it is for; the database fills in any."""

WRITE_RULES: tuple[WriteRule, ...] = ("always", "create", "never")


class FieldCompiler(ValueCompiler):
    """Compiles the fields of one class."""

    def scalar(self, name: str, declared: FieldDeclaration, found: FieldType) -> FieldPlan:
        """A field with a value of its own."""
        if isinstance(declared.computed, OverRows | ByFunction):
            return self.derived(name, declared, found)
        options: dict[str, Any] = {
            "default": UNSET,
            "write": None,
            "read": None,
            "sensitive": False,
            "filter": False,
            "unique": False,
            "auto": None,
            "labels": None,
            "ordered": False,
            "description": "",
            "example": UNSET,
            **self.typed(name, declared.options, FIELD),
        }
        total = self._computed(name, declared.computed)
        self.check_name(name)
        self._check_constraints(name, found, options, computed=total is not None)
        self._check_auto(name, found.kind, options["auto"])
        check_choices(found, options, self._adder(name))
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
            sensitive=bool(options["sensitive"]) or any(part.sensitive for part in parts_of(value)),
            unique=bool(options["unique"]),
            ignore_case=ignores_case(found, options["unique"], self._adder(name)),
            generated=cast("Generated | None", options["auto"] if options["auto"] in tuple(AUTO) else None),
            filters=self.filters(
                name,
                found.kind,
                found.nullable,
                options["filter"],
                of_list=_is_plain_list(found),
                ranked=bool(value.ranks),
            ),
            column=column_of(name, options.get("column")),
            storage=storage_of(found.kind, options.get("storage"), self._adder(name)),
        )
        plan = self._with_example(plan, options["example"])
        if total is not None and not KINDS[found.kind].exact:
            return replace(plan, computed=total)  # reported together with the list that it sums over
        return self._with_default(replace(plan, computed=total), options["default"])

    def derived(self, name: str, declared: FieldDeclaration, found: FieldType) -> FieldPlan:
        """A field that is computed when its row is read; of what, is resolved when all classes are known."""
        options = {"read": None, "description": "", **self.typed(name, declared.options, FIELD)}
        self.check_name(name)
        of_rows = isinstance(declared.computed, OverRows)
        self._check_constraints(name, found, options, computed=of_rows)
        return replace(
            self._structured(name, found, self._value(name, found.leaf, options), options),
            required=False,
            write="never",
            description=options["description"],
            read_scope=self._read_scope(name, options["read"]),
            derived=InPython(()),
        )

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
            self._check_filled_in(relation, auto)
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

    def filters(
        self, name: str, kind: Kind, nullable: bool, wanted: Any, *, of_list: bool = False, ranked: bool = False
    ) -> tuple[str, ...]:
        """The filter operators that lists allow on a field."""
        of_values = LIST_FILTERS if of_list else RANKED.filters if ranked else KINDS[kind].filters
        possible = of_values + (("isNull",) if nullable else ())
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
            fix = f"write {name}_, which is {name} in JSON" if SNAKE.fullmatch(name) else "choose another name"
            self._add(name, "SP219", f"the name {name!r} is a keyword of Python", fix)
        elif not SNAKE.fullmatch(name) and not keyword.iskeyword(name.removesuffix("_")):
            self._add(
                name,
                "SP219",
                f"the name {name!r} is not in lower case with underscores",
                f"rename it, for example to {snake(name)}"
                if name.isascii() and SNAKE.fullmatch(snake(name))
                else "use a to z, 0 to 9 and single underscores",
            )

    def _check_auto(self, name: str, kind: Kind, auto: Any) -> None:
        if auto is None:
            return
        self._choice(name, "auto", auto, tuple(AUTO))
        self._check_filled_in(name, auto)
        fitting = AUTO.get(auto, _INSTANT) if isinstance(auto, str) else _INSTANT
        if fitting is not None and kind != fitting.kind:
            self._add(
                name,
                "SP215",
                f"auto={shown(auto)} needs a field of type {fitting.type}, but this is {a(kind)}",
                f"give it the type {fitting.type}, or remove auto",
                "auto",
            )

    def _check_filled_in(self, name: str, auto: object) -> None:
        if auto == "database" and not self.external:
            self._add(
                name,
                "SP215",
                'auto="database" is for the tables of an external database; in one of its own the contract fills in',
                "give it a default, or set the value in a service function",
                "auto",
            )

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
            plan = replace(plan, default=self._converted(plan, "default", default))
        elif default is None and not plan.nullable:
            self._add(
                plan.name,
                "SP206",
                "the default is None, but the type of the field does not allow None",
                "add | None to the type, or choose another default",
                "default",
            )
        return plan

    def _with_example(self, plan: FieldPlan, example: Any) -> FieldPlan:
        if example is UNSET:
            return plan
        return replace(plan, example=self._converted(plan, "example", example))

    def _converted(self, plan: FieldPlan, option: str, value: Any) -> Any:
        """A default or an example, JSON-ready; None after a diagnostic."""
        converted = None if value is None else constant(plan, value)
        if converted is None:
            message = f"the {option} {shown(value)} does not fit the field"
            self._add(plan.name, "SP206", message, _default_fix(plan), option)
        return converted

    def _computed(self, name: str, declared: Any) -> Computed | None:
        if declared is UNSET:
            return None
        if not (isinstance(declared, SumOf) and is_names((declared.relation, *declared.factors))):
            self._add(
                name,
                "SP311",
                f"computed({shown(declared)}) is nothing that can be computed",
                'write computed(sum_of("items", "quantity")), or use count_of, exists_of, latest_of or in_python',
            )
            return None
        return Computed(declared.relation, declared.factors)


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
    return found.json_type == "array" and found.items is not None and found.items.kind != ANYTHING


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
