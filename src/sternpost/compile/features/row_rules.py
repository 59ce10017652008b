"""Rules over rows: `class Visit(Resource, checks=[this.ends_at > this.starts_at])`, and spans that do not overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from sternpost.compile.conditions import ConditionCompiler, field_of, names_in
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import SNAKE, a, listed, matches
from sternpost.compile.options import Add, shown
from sternpost.compile.policies import alike
from sternpost.contract.policy import Policy
from sternpost.contract.row_rules import DeclaredCheck, DeclaredOverlap
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan
from sternpost.plan.names import NAME_MAX, database_name
from sternpost.plan.policy import AllOf, AnyOf, Compare, Not, PolicyNode, ValueAt
from sternpost.plan.row_rules import CheckPlan, OverlapPlan, fields_of

MESSAGE_MAX = 500
"""Characters of the text of a check."""

_CHECKS = "write checks=[this.ends_at > this.starts_at], or checks=[check(…, name=…, message=…)]"
_SPANS = 'write no_overlap=[no_overlap("room", "starts_at", "ends_at")]: what rows share, then start and end'


class RowRules(Feature):
    """Conditions on the values of a row, and spans of rows that may not overlap."""

    class_keywords = ("checks", "no_overlap")

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        """After the relations: what an item is owned by is known, and which fields there are."""
        for draft in drafts.values():
            for keyword in self.class_keywords:
                if draft.external and draft.keyword(keyword) is not None:
                    _refuse_external(draft, keyword, report)
            if not draft.external:
                _Reader(draft, report).read()

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        return {"checks": draft.checks, "no_overlap": draft.no_overlap}


def _refuse_external(draft: ResourceDraft, keyword: str, report: Report) -> None:
    message = f"{draft.name}: {keyword} needs a rule in the database, but Sternpost adds none to an external one"
    report.add(draft.where_keyword(keyword), "SP037", message, f"remove {keyword}, and let the database keep the rule")


class _Reader:
    """Reads the rules of one class."""

    def __init__(self, draft: ResourceDraft, report: Report) -> None:
        self.draft = draft
        self.report = report
        self.item: int | None = None
        """The one that is looked at, of the list that a keyword is given."""

    def read(self) -> None:
        checks = [check for given in self._given("checks", _CHECKS) if (check := self._check(given)) is not None]
        spans = [span for given in self._given("no_overlap", _SPANS) if (span := self._overlap(given)) is not None]
        checks += _own_checks(spans, checks)
        self._refuse_twice(checks, spans)
        self.draft.checks = tuple(sorted(checks, key=lambda check: check.name))
        self.draft.no_overlap = tuple(spans)

    def _given(self, keyword: str, fix: str) -> Iterator[Any]:
        """One item of a keyword's list after the other."""
        given = self.draft.keyword(keyword, ())
        if not isinstance(given, list | tuple):
            code = "SP032" if keyword == "checks" else "SP038"
            alone = isinstance(given, Policy | DeclaredCheck | DeclaredOverlap)
            what = f"a single {'condition' if keyword == 'checks' else 'rule'}" if alone else shown(given)
            self._add(keyword)("", code, f"it is {what}, not a list", fix)
            return
        for self.item, each in enumerate(cast("Sequence[Any]", given)):
            yield each
        self.item = None

    def _add(self, keyword: str, what: str = "") -> Add:
        def add(_: str, code: str, message: str, fix: str) -> None:
            place = f"{self.draft.name}, {what or keyword}"
            self.report.add(self.draft.where_keyword(keyword, self.item), code, f"{place}: {message}", fix)

        return add

    def _condition(self, keyword: str, what: str, condition: object) -> PolicyNode | None:
        add = self._add(keyword, what)
        return ConditionCompiler(self.draft, lambda code, message, fix: add("", code, message, fix)).compile(condition)

    # -- checks

    def _check(self, given: object) -> CheckPlan | None:
        declared = given if isinstance(given, DeclaredCheck) else DeclaredCheck(given)
        node = self._condition("checks", "checks", declared.condition)
        named = self._are_texts(declared)
        if node is None or not named:
            return None
        return CheckPlan(declared.name or default_name(node), node, declared.message or "", fields_of(node))

    def _are_texts(self, declared: DeclaredCheck) -> bool:
        name, message, add = declared.name, declared.message, self._add("checks")
        good = True
        if name is not None and not (matches(SNAKE, name) and len(name) <= NAME_MAX):
            fix = f'use lower case and underscores, at most {NAME_MAX} characters, such as name="ends_after_start"'
            add("", "SP036", f"the name {shown(name)} is malformed", fix)
            good = False
        if message is not None and not (isinstance(message, str) and 0 < len(message.strip()) <= MESSAGE_MAX):
            fix = f'write a sentence of at most {MESSAGE_MAX} characters, such as message="It ends before it starts"'
            add("", "SP036", f"the message {shown(message)} is no text for clients", fix)
            good = False
        return good

    def _refuse_twice(self, checks: list[CheckPlan], spans: list[OverlapPlan]) -> None:
        names = [check.name for check in checks]
        for name in sorted({name for name in names if names.count(name) > 1}):
            fix = 'give one of them another name: check(…, name="…")'
            self._add("checks")("", "SP036", f"two checks are called {name}", fix)
        rules = [(span.keys, span.start, span.end) for span in spans]
        for keys, start, end in dict.fromkeys(rule for rule in rules if rules.count(rule) > 1):
            message = f"no_overlap is declared twice for {listed((*keys, start, end))}"
            self._add("no_overlap")("", "SP038", message, "declare it once; join the conditions by | in where=")

    # -- spans

    def _overlap(self, given: object) -> OverlapPlan | None:
        add = self._add("no_overlap")
        if not isinstance(given, DeclaredOverlap):
            return add("", "SP038", f"{shown(given)} is not no_overlap(…)", _SPANS)
        fields = self._fields(given)
        if fields is None:
            return None
        *keys, start, end = fields
        unfit = [field for field in keys if not self._is_key(field)]
        good = self._fit(start, end) and self._is_owners(keys) and not unfit
        where = None if given.where is None else self._condition("no_overlap", "no_overlap, where", given.where)
        if not good or (where is None) is not (given.where is None):
            return None
        names = [field.name for field in keys]
        tenant = self.draft.keyword("tenant")
        if isinstance(tenant, str) and tenant in self.draft.fields and tenant not in names:
            names.insert(0, tenant)
        return OverlapPlan(tuple(names), start.name, end.name, where)

    def _fields(self, given: DeclaredOverlap) -> list[FieldPlan] | None:
        add = self._add("no_overlap")
        if len(given.names) < 2:
            return add("", "SP038", "a span needs the fields of its start and its end", _SPANS)
        found = [field_of(self.draft, name) if isinstance(name, str) else None for name in given.names]
        fields = [field for field in found if field is not None and field.generated != "deleted"]
        if len(fields) < len(found):
            wrong = [shown(name) for name, field in zip(given.names, found, strict=True) if field not in fields]
            fix = f"use one of {listed(names_in(self.draft))}"
            return add("", "SP038", f"{listed(wrong)} is no field of {self.draft.name}", fix)
        if len({field.name for field in fields}) < len(fields):
            return add("", "SP038", f"a field is named twice in {listed(given.names)}", "name each field once")
        return fields

    def _fit(self, start: FieldPlan, end: FieldPlan) -> bool:
        add = self._add("no_overlap")
        wrong = next((field for field in (start, end) if not KINDS[field.kind].spans), None)
        bounding = listed(kind.name for kind in KINDS.values() if kind.spans)
        if wrong is not None:
            message = f"{wrong.name} is {a(wrong.kind)}, which cannot be the start or the end of a span"
            add("", "SP039", message, f"name two fields of one of the kinds {bounding} as the last two")
        elif not alike(start, end):
            message = f"{start.name} ({start.kind}) and {end.name} ({end.kind}) are not declared alike"
            add("", "SP039", message, "give both the same type, and the same decimal places")
        else:
            return True
        return False

    def _is_key(self, field: FieldPlan) -> bool:
        if KINDS[field.kind].can_be_unique:
            return True
        message = f"{field.name} is {a(field.kind)}, which rows cannot have in common here"
        fix = "leave it out; a condition on it can stand in where="
        self._add("no_overlap")("", "SP063", message, fix)
        return False

    def _is_owners(self, keys: list[FieldPlan]) -> bool:
        """Items have no tenant and no deletion of their own: they are compared with those of their owner alone."""
        owner = self.draft.owned_by
        owning = [f.name for f in self.draft.fields.values() if f.hidden and f.references == owner] if owner else []
        if owner is None or any(field.name in owning for field in keys):
            return True
        name = owning[0].removesuffix("_id") if owning else owner.lower()
        message = f"spans of {self.draft.name} would be compared with those of every other {owner}"
        self._add("no_overlap")("", "SP064", message, f'compare them within their {owner}: no_overlap("{name}", …)')
        return False


def _own_checks(spans: list[OverlapPlan], checks: list[CheckPlan]) -> list[CheckPlan]:
    """That each span starts before it ends, unless a check says that already."""
    said = {check.condition for check in checks}
    found: dict[str, CheckPlan] = {}
    for span in spans:
        node = Compare((span.start,), "lt", ValueAt((span.end,)))
        if not {node, Compare((span.end,), "gt", ValueAt((span.start,)))} & said:
            name = database_name(span.start, "before", span.end)
            found[name] = CheckPlan(name, node, "", fields_of(node))
    return list(found.values())


def default_name(node: PolicyNode) -> str:
    """A name made from a condition: `ends_at_gt_starts_at`."""
    return database_name(*_words(node))


def _words(node: PolicyNode) -> list[str]:
    match node:
        case Compare(path, "isNull"):
            return [path[0], "is_null"]
        case Compare(path, operator, value):
            values = value if isinstance(value, tuple) else (value,)
            texts = [each.path[0] if isinstance(each, ValueAt) else str(each) for each in values]
            return [path[0], operator, *filter(None, (re.sub(r"\W+", "_", text).strip("_").lower() for text in texts))]
        case AllOf(parts) | AnyOf(parts):
            between = "and" if isinstance(node, AllOf) else "or"
            words = [[between, *_words(part)] for part in parts]
            return [word for part in words for word in part][1:]
        case Not(part):
            return ["not", *_words(part)]
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition on a row")
