"""Checks what policies compare with values of the caller: claims of the token, the tenant, the API key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from sternpost.compile.names import listed
from sternpost.compile.options import shown
from sternpost.contract.policy import METHODS, CallerPath
from sternpost.kinds import KINDS, KindName
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import FieldPlan
from sternpost.plan.policy import CallerIs

IN_MAX = 100
"""Values that `in_` may have: they are written into the statement."""

METHOD = {name: name for name in METHODS} | {"in": "in_", "isNull": "is_null"}
"""What an author calls each operator."""

CLAIM = re.compile(r"[!#-\[\]-~]{1,255}")
_CLAIMED: tuple[KindName, ...] = tuple(kind.name for kind in KINDS.values() if kind.from_claim is not None)
_CONSTANTS: dict[type | None, KindName] = {
    kind.declared_as: kind.name for kind in KINDS.values() if kind.from_claim and kind.policies
}
"""What a condition on the caller alone may have: texts, whole numbers, booleans."""

CLAIMS_OF_THEIR_OWN = {
    "sub": "use this.is_owner for the caller's own rows",
    "scope": 'use scope("…")',
    "scp": 'use scope("…")',
    **dict.fromkeys(("exp", "nbf", "iat", "jti", "iss", "aud"), "it is checked already, or different in each token"),
}
"""Claims that have a meaning of their own, each with what to write instead."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a part of a policy."""

    code: str
    message: str
    fix: str


def value_of_caller(
    resource: str, field: FieldPlan, prefix: str | None, operator: str, value: CallerPath
) -> OfCaller | Mistake:
    """The value of the caller that a field is compared with, in the field's form.

    Args:
        prefix: that of the ids, where the field holds some.
    """
    kind, claimed, many = KINDS[field.kind], value.source == "claim", operator == "in"
    if claimed and (mistake := _claim_mistake(value.name)):
        return mistake
    allowed = (*kind.policies, "in") if kind.policies else ("eq", "ne", "in")
    if kind.from_claim is not None and operator in allowed and (claimed or (kind.identifies and not many)):
        return OfCaller(value.source, str(value.name), field.kind, prefix, field.choices, many)
    return Mistake(
        "SP512",
        f"{resource}.{field.name} ({field.kind}) cannot be compared with {value!r} by {METHOD[operator]}",
        f"a claim is compared by eq and ne with a field of kind {listed(_CLAIMED)}; by in_, it is a list of such values"
        if claimed
        else "compare it by eq or ne with a field that holds a text, an id or a UUID",
    )


def condition_on_caller(of: CallerPath, operator: Any, value: Any) -> CallerIs | Mistake:
    """What is asked of the caller alone."""
    if of.source == "claim" and (mistake := _claim_mistake(of.name)):
        return mistake
    many = operator == "in"
    constants = listed_values(value) if many else [value]
    forms: set[KindName | None] = {_CONSTANTS.get(type(each)) for each in cast("list[object]", constants)}
    form: KindName | None = forms.pop() if len(forms) == 1 else None
    if form is not None and (of.source == "claim" or KINDS[form].free_text):
        fit = None not in [KINDS[form].constant(each, None) for each in constants]
        if fit and len(constants) <= IN_MAX and len({*constants}) == len(constants):
            return CallerIs(OfCaller(of.source, str(of.name), form), operator, tuple(constants) if many else value)
    given = ", ".join(map(shown, constants)) or "no value"
    texts = "texts" if of.source != "claim" else "values of one type: texts, whole numbers or booleans"
    text = "a text" if of.source != "claim" else "a text, a whole number, True or False"
    return Mistake(
        "SP512",
        f"{of!r} cannot be compared with {given} by {METHOD[operator]}",
        (f"give 1 to {IN_MAX} different {texts}" if many else f"compare it with {text}")
        + ", or compare a value of the row with it",
    )


def listed_values(value: Any) -> list[Any]:
    """What `in_` was given; an order that does not depend on the process, where it was a set."""
    if isinstance(value, set | frozenset):
        return sorted(cast("set[Any]", value), key=repr)
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]


def _claim_mistake(name: object) -> Mistake | None:
    """What is wrong with the name of a claim; None where it is one that policies can ask for."""
    instead = CLAIMS_OF_THEIR_OWN.get(name) if isinstance(name, str) else None
    if instead is not None:
        return Mistake("SP511", f"the claim {name} says nothing to a policy", instead)
    if isinstance(name, str) and CLAIM.fullmatch(name):
        return None
    fix = 'write the name of a claim of the token, such as claim("department")'
    return Mistake("SP511", f"{shown(name)} is not a claim", fix)
