"""Checks a condition on a row's own values, as `checks=` and `where=` take it, and turns it into nodes of the plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sternpost.compile.caller_values import IN_MAX, listed_values
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.names import a, listed
from sternpost.compile.options import hidden_by, shown
from sternpost.compile.policies import alike, compared_with, comparison_fix, constants, is_value
from sternpost.contract.policy import Caller, CallerPath, Instant, Misuse, Policy, PolicyPath, names_of
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan
from sternpost.plan.policy import AllOf, AnyOf, Compare, Not, PolicyNode, ValueAt

Add = Callable[[str, str, str], None]
"""Reports a mistake: code, message, fix."""

OF_A_CALL = "a rule holds for every row at all times, but this is known for a call only"
_WRITTEN = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "in_"}
_EXAMPLE = "this.ends_at > this.starts_at"


def field_of(draft: ResourceDraft, name: str) -> FieldPlan | None:
    """A field by its name, or by that of the reference whose key it holds."""
    references = {relation.name for relation in draft.relations if relation.type.form == "one"}
    return draft.fields.get(f"{name}_id" if name in references else name)


def names_in(draft: ResourceDraft) -> list[str]:
    """What a rule may name, for a message."""
    return [
        *(name for name, field in draft.fields.items() if field.generated != "deleted"),
        *(relation.name for relation in draft.relations if relation.type.form == "one"),
    ]


class ConditionCompiler:
    """Compiles conditions on the rows of one resource; mistakes are reported by `add`.

    Attributes:
        of_a_call: why what is known of a call has no place in them.
        of_others: why values of other rows have none.
    """

    of_a_call = OF_A_CALL
    of_others = "the database looks at one row alone when it checks it"

    def __init__(self, draft: ResourceDraft, add: Add) -> None:
        self.draft = draft
        self.add = add

    def compile(self, condition: object) -> PolicyNode | None:
        """The condition in the form of the plan; None after a diagnostic."""
        hidden = hidden_by(condition)
        if hidden is not None:
            return self.add(*hidden)
        if not isinstance(condition, Policy):
            return self._wrong(condition)
        match condition.kind:
            case "compare":
                return self._compare(*condition.parts)
            case "all" | "any":
                return self._joined(condition)
            case "not":
                inner = self.compile(condition.parts[0])
                return None if inner is None else Not(inner)
            case "invalid":
                part = condition.parts[0]
                if isinstance(part, Misuse) and part.comparison is not None:
                    return self._compare(*part.comparison)
                return self._wrong(part)
            case _:
                return self.add(
                    "SP033",
                    f"{_named(condition)} has no place in it: {self.of_a_call}",
                    "compare fields of the row; who may do something is said by allow=",
                )

    def _joined(self, condition: Policy) -> PolicyNode | None:
        parts = [self.compile(part) for part in cast("tuple[Policy, ...]", condition.parts)]
        found = [part for part in parts if part is not None]
        if len(found) < len(parts):
            return None
        kind = AllOf if condition.kind == "all" else AnyOf
        flat: list[PolicyNode] = []
        for part in found:
            flat.extend(part.parts if isinstance(part, kind) else (part,))
        return kind(tuple(flat))

    def _wrong(self, part: object) -> None:
        if isinstance(part, Misuse):
            self.add("SP032", f"{part} is no condition", f"compare values, such as {_EXAMPLE}")
        elif is_value(part):
            self.add("SP032", f"{part} is a value, not a condition", f"compare it, such as {part} == True")
        else:
            self.add("SP032", f"{shown(part)} is not a condition", f"compare fields of the row, such as {_EXAMPLE}")

    # -- comparisons

    def _compare(self, path: Any, operator: Any, value: Any) -> PolicyNode | None:
        field = self._field(path)
        if field is None:
            return None
        if isinstance(value, Instant | Caller | CallerPath):
            message = f"{'caller' if isinstance(value, Caller) else shown(value)} has no place in it: {self.of_a_call}"
            return self.add("SP033", message, "compare with a constant or another field; let a service check the rest")
        if isinstance(value, PolicyPath) and operator not in ("in", "isNull"):
            return self._compare_fields(field, operator, value)
        if operator == "isNull":
            if field.nullable:
                return Compare((field.name,), "isNull")
            return self.add("SP035", f"{field.name} is never null", "leave the condition out")
        if value is None:
            fix = f"write {'~' if operator == 'ne' else ''}{path!r}.is_null"
            return self.add("SP035", f"{field.name} is compared with None, which no value equals", fix)
        converted = constants(field, operator, value)
        if converted is not None:
            return Compare((field.name,), *compared_with(field, operator, converted))
        given = ", ".join(map(shown, listed_values(value))) or "no value" if operator == "in" else shown(value)
        fix = f"give 1 to {IN_MAX} different values; " if operator == "in" else ""
        fix += comparison_fix(field) if field.references is None else "ids are only compared with other references"
        message = f"{field.name} ({field.kind}) cannot be compared with {given} by {_WRITTEN[operator]}"
        return self.add("SP035", message, fix)

    def _compare_fields(self, field: FieldPlan, operator: Any, value: PolicyPath) -> PolicyNode | None:
        other = self._field(value)
        if other is None:
            return None
        allowed = KINDS[field.kind].policies or (("eq", "ne") if field.references else ())
        if operator in allowed and alike(field, other) and field.name != other.name:
            return Compare((field.name,), operator, ValueAt((other.name,)))
        problem = (
            "it is the same value"
            if field.name == other.name
            else "their kinds, or how they are kept, differ"
            if operator in allowed
            else f"{a(field.kind)} has no order"
        )
        message = f"{field.name} ({field.kind}) cannot be compared with {other.name} ({other.kind}): {problem}"
        fix = f"compare it by {listed(allowed)} with a field declared alike" if allowed else "choose other fields"
        return self.add("SP035", message, fix)

    def _field(self, of: Any) -> FieldPlan | None:
        if not isinstance(of, PolicyPath) or not repr(of).startswith("this"):
            message = f"{shown(of)} has no place in it: {self.of_a_call}"
            return self.add("SP033", message, "compare fields of the row; who may do something is said by allow=")
        names = names_of(of)
        if not names:
            return self.add("SP035", "this is the whole row", f"compare one of its fields, such as {_EXAMPLE}")
        path = ".".join(("this", *names))
        field = field_of(self.draft, names[0])
        if field is None:
            lists = {relation.name for relation in self.draft.relations}
            what = "is a list of other rows" if names[0] in lists else f"is no field of {self.draft.name}"
            what = "is computed when the row is read, and not stored" if names[0] in self.draft.computed else what
            return self.add("SP034", f"{path} {what}", f"use one of {listed(names_in(self.draft))}")
        if len(names) > 1:
            what = f"{path} is a value of another row" if field.references else f"{names[0]} is not a reference"
            message = f"{what}: {self.of_others}"
            return self.add("SP034", message, "compare fields of the row itself; let a service check the rest")
        if field.generated == "deleted":
            message = f"{path} says when the row was deleted, which is decided when it happens"
            return self.add("SP034", message, f"use one of {listed(names_in(self.draft))}")
        return field


def _named(condition: Policy) -> str:
    match condition.kind:
        case "scope":
            return f"scope({condition.parts[0]!r})"
        case "owner":
            return ".".join(("this", *condition.parts[0], "is_owner"))
        case _:
            return condition.kind
