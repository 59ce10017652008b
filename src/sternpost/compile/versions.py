"""Compiles older versions of an API: one plan for each, made by undoing the declared changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.compile.options import is_names, is_whole, shown
from sternpost.contract.contract import Contract
from sternpost.contract.policy import Policy
from sternpost.contract.source import Source
from sternpost.contract.versions import Added, AnyChange, Changed, Removed, Renamed, Version
from sternpost.plan.model import FieldPlan, OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import PolicyNode

CompilePolicy = Callable[[str, OperationPlan, Policy, Source], PolicyNode]
Convert = Callable[[Any], Any]

_NAME = re.compile(r"v[1-9][0-9]*")
_MEMBER = re.compile(r"[a-z][A-Za-z0-9]*")
_RULES = {
    "min_length": "min_length",
    "max_length": "max_length",
    "pattern": "pattern",
    "ge": "minimum",
    "le": "maximum",
    "required": "required",
    "nullable": "nullable",
    "choices": "choices",
    "default": "default",
    "type": "kind",
}
_OPERATION_RULES = ("allow", "page_size", "max_page_size", "sort", "default_sort", "search")
_BOUNDS = {"min_length": min, "max_length": max, "minimum": min, "maximum": max}
"""Constraints that the column itself keeps, and which of two values is the less strict."""


@dataclass(frozen=True)
class Older:
    """An older version that is served: its plan, and the functions between its values and the newest ones."""

    plan: Plan
    conversions: Mapping[tuple[str, str], tuple[Convert, Convert]]


@dataclass
class _State:
    """The state of the API while changes are undone, from the newest version to the oldest."""

    fields: dict[tuple[str, str], FieldPlan]
    relations: dict[tuple[str, str], RelationPlan]
    operations: dict[tuple[str, str], OperationPlan]
    absent: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    conversions: dict[tuple[str, str], tuple[Convert, Convert]] = field(
        default_factory=dict[tuple[str, str], tuple[Convert, Convert]]
    )


def compile_versions(
    contract: Contract, plan: Plan, report: Report, compile_policy: CompilePolicy
) -> tuple[Plan, tuple[Older, ...]]:
    """The newest version's plan, and the older ones', the newest first. Mistakes go to `report`."""
    if contract.older == ():
        return plan, ()
    return _Versions(contract, plan, report, compile_policy).compile()


class _Versions:
    def __init__(self, contract: Contract, plan: Plan, report: Report, compile_policy: CompilePolicy) -> None:
        self.contract = contract
        self.base = plan
        self.report = report
        self.compile_policy = compile_policy
        self.state = _State(
            {(resource.name, f.name): f for resource in plan.resources for f in resource.shown},
            {(resource.name, r.name): r for resource in plan.resources for r in resource.relations},
            {(resource.name, o.name): o for resource in plan.resources for o in resource.operations},
        )
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}

    def compile(self) -> tuple[Plan, tuple[Older, ...]]:
        versions = read_versions(self.contract, self.base.api_version, self.report)
        for version in versions:
            for change in version.changes:
                if isinstance(change, Removed):
                    self._remove(change)
        newest = self._plan(self.base.api_version)
        older: list[Older] = []
        for version in versions:
            for change in version.changes:
                self._undo(change)
            self._check_names(version)
            plan = replace(
                self._plan(version.name),
                deprecated=version.deprecated.isoformat() if version.deprecated else None,
                sunset=version.sunset.isoformat() if version.sunset else None,
                deprecation_link=version.link,
                gone_after_sunset=version.gone_after_sunset,
            )
            older.append(Older(plan, dict(self.state.conversions)))
        return _with_stored(newest, self.stored), tuple(
            replace(one, plan=_with_stored(one.plan, self.stored)) for one in older
        )

    # -- changes

    def _remove(self, change: Removed) -> None:
        for key in self._keys(change):
            self.state.absent.add(key)
            found = self.state.fields.get(key)
            if found is not None and found.required:
                self._refuse(
                    change,
                    f"newer versions cannot send {key[0]}.{key[1]}, but the field is required",
                    "give the field a default, or make it `| None`",
                )

    def _undo(self, change: AnyChange) -> None:
        match change:
            case Removed():
                self.state.absent.difference_update(self._keys(change))
            case Added():
                self._undo_added(change)
            case Renamed():
                self._undo_renamed(change)
            case Changed():
                self._undo_changed(change)
            case _:  # pyright: ignore[reportUnnecessaryComparison]
                self._wrong(
                    self.contract.source,
                    f"{shown(change)} in changes is not a change",
                    "use Added, Removed, Renamed and Changed",
                )

    def _undo_added(self, change: Added) -> None:
        for key in self._keys(change):
            self.state.absent.add(key)
            found = self.state.fields.get(key)
            if found is not None and change.default is not None:
                self.state.fields[key] = replace(found, default=_plain(change.default))
            elif found is not None and found.required and not found.caller_default:
                self._refuse(
                    change,
                    f"creating through the older version cannot send {key[0]}.{key[1]}, but the field is required",
                    "write Added(…, default=…)",
                )
            relation = self.state.relations.get(key)
            if relation is not None and relation.input_name is not None and relation.min_items:
                self._refuse(
                    change,
                    f"creating through the older version cannot send {key[0]}.{key[1]}, but the list may not be empty",
                    "allow an empty list",
                )

    def _undo_renamed(self, change: Renamed) -> None:
        key = self._key(change, change.name)
        if key is None:
            return
        if not (isinstance(change.was, str) and _MEMBER.fullmatch(change.was)):  # pyright: ignore[reportUnnecessaryIsInstance]
            self._refuse(change, f"was={shown(change.was)} is not a valid name in JSON", 'write was="name"')
        elif key in self.state.fields and change.name != "id":
            self.state.fields[key] = replace(self.state.fields[key], public_name=change.was)
        elif key in self.state.relations:
            relation = self.state.relations[key]
            named = change.was if relation.kind == "owned" else relation.input_name
            self.state.relations[key] = replace(relation, public_name=change.was, input_name=named)
        else:
            self._refuse(change, f"{key[0]}.{key[1]} cannot be renamed", "only fields and relations can be renamed")

    def _undo_changed(self, change: Changed) -> None:
        key = self._key(change, change.name)
        if key is None:
            return
        if key in self.state.operations:
            self._undo_operation(change, key)
        elif key in self.state.fields:
            self._undo_field(change, key)
        else:
            self._refuse(
                change,
                f"{key[0]}.{key[1]} is a relation, which has no rules that can change",
                "name a field or an operation",
            )

    def _undo_operation(self, change: Changed, key: tuple[str, str]) -> None:
        operation = self.state.operations[key]
        rules: dict[str, Any] = {}
        for name, value in change.was.items():
            if name not in _OPERATION_RULES:
                self._refuse(
                    change, f"an operation has no rule {shown(name)}", f"use some of {listed(_OPERATION_RULES)}"
                )
            elif name == "allow":
                rules["policy"] = self.compile_policy(key[0], operation, value, change.source)
            elif operation.kind != "browse":
                self._refuse(change, f"{key[0]}.{key[1]} has no {name}", "only Browse operations have this rule")
            elif name in ("sort", "default_sort", "search"):
                rules[name], fix = _of_fields(operation, name, value, self.base.by_name[key[0]].fields_by_name)
                if fix:
                    self._refuse(change, f"{name}={shown(value)} is not a list of fields", fix)
                    return
            elif not is_whole(value) or value < 1:
                self._refuse(change, f"{name}={shown(value)} is not a whole number above 0", f'write "{name}": 20')
                return
            else:
                rules[name] = value
        most = rules.get("max_page_size", operation.max_page_size)
        if most and rules.get("page_size", operation.page_size or 0) > most:
            rules["page_size"] = most
        self.state.operations[key] = replace(operation, **rules)

    def _undo_field(self, change: Changed, key: tuple[str, str]) -> None:
        if key[1] == "id":
            self._refuse(change, f"{key[0]}.id has no rules that can change", "leave this change out")
            return
        newer = self.state.fields[key]
        unknown = [name for name in change.was if name not in _RULES]
        if unknown:
            self._refuse(change, f"a field has no rule {', '.join(unknown)}", f"use some of {listed(_RULES)}")
            return
        was = {_RULES[name]: _plain(value) for name, value in change.was.items()}
        older = newer
        if was.get("kind", newer.kind) != newer.kind:
            converted = self._of_another_type(change, key, newer, was)
            if converted is None:
                return
            older = converted
        if "choices" in was:
            was["choices"] = tuple(was["choices"])
            extra = set(was["choices"]) - set(newer.choices)
            if extra:
                self._refuse(
                    change,
                    f"{key[0]}.{key[1]} no longer allows {', '.join(sorted(map(str, extra)))}, "
                    "which the older version can send",
                    "keep every value in the class as long as an older version allows it",
                )
        if was.get("required") is False and newer.required and was.get("default") is None and not newer.nullable:
            self._refuse(
                change,
                f"{key[0]}.{key[1]} is optional in the older version, but has no default there",
                'add "default" to the older rules',
            )
        if was.get("nullable") is True and not newer.nullable:
            self._refuse(
                change,
                f"{key[0]}.{key[1]} does not allow null, which the older version can send",
                "make the field `| None`, and require it from newer clients in a service",
            )
        if was.get("default") is not None:
            was.setdefault("required", False)
        older = _with_known_labels(replace(older, **was, shown=tuple(change.shown.items())))
        self._check_shown(change, key, newer, older)
        if older.kind == newer.kind:
            self._widen(key, older)
        self.state.fields[key] = older

    def _of_another_type(
        self, change: Changed, key: tuple[str, str], newer: FieldPlan, was: dict[str, Any]
    ) -> FieldPlan | None:
        if was["kind"] not in ("string", "integer", "number", "boolean"):
            self._refuse(change, f"type={shown(was['kind'])} is not a type", "use string, integer, number or boolean")
            return None
        if not (callable(change.up) and callable(change.down)):
            self._refuse(
                change,
                f"{key[0]}.{key[1]} had another type, but no functions convert its values",
                "write up=…, which converts an older value to a newer one, and down=… for the reverse",
            )
            return None
        self.state.conversions[key] = (change.up, change.down)
        default = None if newer.default is None else change.down(newer.default)
        return FieldPlan(
            name=newer.name,
            public_name=newer.public_name,
            kind=newer.kind,
            nullable=newer.nullable,
            required=newer.required,
            default=default,
            write=newer.write,
            description=newer.description,
            read_scope=newer.read_scope,
            write_scope=newer.write_scope,
            sensitive=newer.sensitive,
            column=newer.column,
            minimum=-(2**63) if was["kind"] == "integer" else None,
            maximum=2**63 - 1 if was["kind"] == "integer" else None,
            converted=True,
            derived=newer.derived,
        )

    def _check_shown(self, change: Changed, key: tuple[str, str], newer: FieldPlan, older: FieldPlan) -> None:
        if older.converted:
            return
        missing = [choice for choice in newer.choices if choice not in older.choices and choice not in change.shown]
        if missing:
            self._refuse(
                change,
                f"the older version does not know {key[0]}.{key[1]} = {', '.join(missing)}",
                "declare what it shows instead: shown={" + f'"{missing[0]}": "…"' + "}",
            )
        if newer.nullable and not older.nullable and None not in change.shown:
            self._refuse(
                change,
                f"the older version does not know {key[0]}.{key[1]} = null",
                "declare what it shows instead: shown={None: …}",
            )
        if older.choices and any(value not in older.choices for value in change.shown.values()):
            self._refuse(
                change,
                f"shown={shown(dict(change.shown))} uses values that the older version does not know",
                "use values of the older version",
            )

    def _widen(self, key: tuple[str, str], older: FieldPlan) -> None:
        """One column stores the values of all versions, so its constraints are the least strict of them all."""
        base = self.base.by_name[key[0]].shown_by_name[key[1]]
        kept = self.stored.setdefault(key, {})
        for name, wider in _BOUNDS.items():
            present, value = kept.get(name, getattr(base, name)), getattr(older, name)
            if present is None or value == present:
                continue
            widest = None if value is None else wider(present, value, key=lambda bound: Decimal(str(bound)))
            if widest != present:
                kept[name] = widest

    # -- plans

    def _plan(self, version: str) -> Plan:
        base_path = f"/api/{version}"
        resources: list[ResourcePlan] = []
        for resource in self.base.resources:
            kinds = (resource.fields, resource.computed)
            fields, computed = (tuple(self._field(resource, f.name) for f in each) for each in kinds)
            listable = {f.name for f in fields if not f.hidden and not f.converted}
            operations = tuple(
                _operation(self.state.operations[resource.name, o.name], self.base.base_path, base_path, listable)
                for o in resource.operations
                if (resource.name, o.name) not in self.state.absent
            )
            relations = tuple(
                self.state.relations[resource.name, r.name]
                for r in resource.relations
                if (resource.name, r.name) not in self.state.absent
            )
            made = replace(resource, fields=fields, computed=computed)
            resources.append(replace(made, relations=relations, operations=operations))
        return replace(self.base, api_version=version, base_path=base_path, resources=tuple(resources))

    def _field(self, resource: ResourcePlan, name: str) -> FieldPlan:
        found = self.state.fields[resource.name, name]
        if (resource.name, name) not in self.state.absent:
            return found
        return replace(found, hidden=True, write="never", required=False, filters=())

    def _check_names(self, version: Version) -> None:
        for resource in self.base.resources:
            names: dict[str, str] = {}
            members = [(f.name, self.state.fields[resource.name, f.name]) for f in resource.shown if not f.hidden]
            others = [(r.name, self.state.relations[resource.name, r.name]) for r in resource.relations]
            visible = [
                (name, member.public_name)
                for name, member in (*members, *others)
                if (resource.name, name) not in self.state.absent
            ]
            for name, public_name in visible:
                other = names.setdefault(public_name, name)
                if other != name:
                    self._wrong(
                        version.source,
                        f"{resource.name}.{name}: its name in {version.name}, {public_name}, is already used "
                        f"by {other}",
                        "rename one of the two, or declare one of them as Added",
                    )

    # -- what a change is about

    def _keys(self, change: Added | Removed) -> list[tuple[str, str]]:
        if change.name is not None:
            key = self._key(change, change.name)
            if key is None:
                return []
            relation = self.state.relations.get(key)
            is_one = relation is not None and relation.kind == "one"
            return [key, (key[0], relation.local_field)] if relation is not None and is_one else [key]
        resource = self._resource(change)
        return [] if resource is None else [(resource.name, o.name) for o in resource.operations]

    def _key(self, change: AnyChange, name: str) -> tuple[str, str] | None:
        resource = self._resource(change)
        if resource is None:
            return None
        key = (resource.name, name)
        if key in self.state.fields or key in self.state.relations or key in self.state.operations:
            return key
        self._refuse(
            change,
            f"{resource.name} has no {name!r}",
            "use the name of a field, relation or operation of the class; removed ones stay declared in it",
        )
        return None

    def _resource(self, change: AnyChange) -> ResourcePlan | None:
        found = self.base.by_name.get(getattr(change.resource, "__name__", ""))
        if found is None:
            self._refuse(
                change, f"{shown(change.resource)} is not a resource of the contract", "name the class of a resource"
            )
        return found

    def _refuse(self, change: AnyChange, message: str, fix: str) -> None:
        self.report.add(change.source, "SP023", message, fix)

    def _wrong(self, where: Source, message: str, fix: str) -> None:
        self.report.add(where, "SP022", message, fix)


def read_versions(contract: Contract, newest: str, report: Report) -> list[Version]:
    """The older versions that a contract lists, the newest first, without those that are malformed."""
    given: Any = contract.older
    if not isinstance(given, tuple):
        given = (given,)
    versions: list[Version] = []

    def wrong(where: Source, message: str, fix: str) -> None:
        report.add(where, "SP022", message, fix)

    last = newest
    for version in cast("tuple[Any, ...]", given):
        if not isinstance(version, Version):
            wrong(contract.source, f"older={shown(version)} is not a version", 'write Version("v1", …)')
            continue
        if not (isinstance(version.name, str) and _NAME.fullmatch(version.name)):  # pyright: ignore[reportUnnecessaryIsInstance]
            wrong(version.source, f"the older version {shown(version.name)} is malformed", 'write Version("v1", …)')
        elif int(version.name[1:]) >= int(last[1:]):
            wrong(
                version.source,
                f"{version.name} is not older than {last}",
                "list the versions from newest to oldest, and set api_version to a newer one than all of them",
            )
        else:
            last = version.name
            if _has_days(version, wrong):
                _check_days(version, wrong)
                versions.append(version)
    return versions


def _has_days(version: Version, wrong: Callable[[Source, str, str], None]) -> bool:
    """Whether its days are days."""
    given = {name: getattr(version, name) for name in ("deprecated", "sunset")}
    mistaken = {
        name: value
        for name, value in given.items()
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime))
    }
    for name, value in mistaken.items():
        wrong(version.source, f"{name}={shown(value)} is not a date", f"write {name}=date(2027, 1, 31)")
    return not mistaken


def _check_days(version: Version, wrong: Callable[[Source, str, str], None]) -> None:
    if version.deprecated and version.sunset and version.sunset < version.deprecated:
        wrong(
            version.source,
            f"the sunset of {version.name} is before its deprecation",
            "set sunset to a date after deprecated (RFC 9745, 4)",
        )
    if version.gone_after_sunset and version.sunset is None:
        wrong(version.source, f"{version.name} has gone_after_sunset, but no sunset date", "set sunset=…")
    if version.link is not None and not re.fullmatch(r"https?://[!#-;=?-\[\]_a-z~]+", str(version.link)):
        wrong(
            version.source,
            f"link={shown(version.link)} is not an http or https URL",
            'write link="https://example.com/v2"',
        )


def _with_stored(plan: Plan, stored: Mapping[tuple[str, str], Mapping[str, Any]]) -> Plan:
    """The plan whose columns keep what the widest version allows."""

    def columns(resource: ResourcePlan) -> tuple[FieldPlan, ...]:
        return tuple(replace(f, stored=tuple(stored.get((resource.name, f.name), {}).items())) for f in resource.fields)

    return replace(plan, resources=tuple(replace(one, fields=columns(one)) for one in plan.resources))


def _of_fields(operation: OperationPlan, rule: str, value: Any, fields: Collection[str]) -> tuple[tuple[Any, ...], str]:
    """A rule of a list that names fields, and how to mend what does not. A list was searched in some of the fields in
    which it is searched now: there is one index of words for all versions."""
    names: list[str] = [*value] if is_names(value) else []
    if rule == "search":
        now = {each.name: each for each in operation.search}
        fix = f"use some of {listed(now)}, which are searched" if now else "declare search= in the class"
        good = is_names(value) and now.keys() >= {*names}
        return tuple(now[name] for name in dict.fromkeys(names) if good), "" if good else fix
    good = is_names(value) and all(name.removeprefix("-") in fields for name in names)
    return tuple(names), "" if good else "use names of fields of the class"


def _operation(operation: OperationPlan, newest: str, base_path: str, listable: set[str]) -> OperationPlan:
    """The operation below the base path of an older version."""
    return replace(
        operation,
        path=base_path + operation.path.removeprefix(newest),
        sort=tuple(name for name in operation.sort if name in listable),
        default_sort=tuple(name for name in operation.default_sort if name.removeprefix("-") in listable),
        search=tuple(each for each in operation.search if each.name in listable),
    )


def _with_known_labels(field: FieldPlan) -> FieldPlan:
    """A field with the labels of the values that it may have."""
    return replace(field, labels=tuple(pair for pair in field.labels if pair[0] in field.choices))


def _plain(value: Any) -> Any:
    """A default value in the form that the plan stores."""
    match value:
        case Enum():
            return value.value
        case Decimal():
            return str(value)
        case date():
            return value.isoformat()
        case _:
            return value
