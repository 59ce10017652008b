"""What changed between two plans for clients: breaking changes, compatible ones, and differences only in wording.

Plans come as data (`Plan.as_data`, a `plan.json`), so that one that an earlier release wrote can be compared.
An attribute that an old plan does not have stands for its default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, combinations
from typing import Any, Literal, cast

from sternpost.derive.seen import DECLARED, both_as_seen
from sternpost.kinds import KINDS, KindName
from sternpost.plan.caller import OfCaller
from sternpost.plan.limits import describe_limit, is_at_least, limit_from_data
from sternpost.plan.policy import (
    AllOf,
    AnyOf,
    Authenticated,
    CallerIs,
    Compare,
    Named,
    Not,
    Now,
    Outside,
    Owner,
    PolicyNode,
    Public,
    Scope,
    Through,
    ValueAt,
    describe,
    fold,
    implies,
    scopes,
    unnamed,
)
from sternpost.plan.shapes import WRITABLE

Class = Literal["breaking", "additive", "neutral"]
Data = Mapping[str, Any]

SCOPES_MAX = 8
"""Scopes that two policies may name together to be compared for every set of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One change.

    Attributes:
        code: stable, such as `field-removed`.
        place: the API version, the resource and the member, such as `v1 orders.status` or `v1 users.browse`.
        what: what clients see of it.
        fix: what to do where it is breaking; else empty.
    """

    kind: Class
    code: str
    place: str
    what: str
    fix: str = ""

    @property
    def id(self) -> str:
        """The name by which a waiver refers to it."""
        return f"{self.code} {self.place}"

    def as_data(self) -> dict[str, str]:
        return {
            "id": self.id,
            "class": self.kind,
            "code": self.code,
            "place": self.place,
            "what": self.what,
            "fix": self.fix,
        }


KEEP_EVENT = "keep emitting it until nothing consumes it"
KEEP = "keep it, or make the change a new version: increase api_version and list the old one in older=[Version(…)]"


def compare(old: Data, new: Data) -> list[Difference]:
    """Every change from one plan to another, version by version, breaking ones first."""
    before, after = _versions(old), _versions(new)
    found: list[Difference] = []
    for name, plan in before.items():
        if name not in after:
            what = f"every address below {plan['base_path']} responds with 404"
            fix = f'list it in older=[Version("{name}", …)]'
            found.append(Difference("breaking", "version-removed", name, what, fix))
        else:
            found += _Comparison(name).plan(*both_as_seen(plan, after[name]))
    found += [
        Difference("additive", "version-added", name, f"{plan['base_path']} is new")
        for name, plan in after.items()
        if name not in before
    ]
    order = ("breaking", "additive", "neutral")
    return sorted(found, key=lambda one: (order.index(one.kind), one.place, one.code, one.what))


def _versions(plan: Data) -> dict[str, Data]:
    return {one["api_version"]: one for one in (plan, *plan.get("older", ()))}


# -- what is compared, by attribute; `tests/unit/derive/test_diff.py` asserts that every attribute stands in one place

COMPARED: dict[str, frozenset[str]] = {
    "Plan": frozenset(
        [
            "title",
            "description",
            "license",
            "version",
            "api_version",
            "base_path",
            "resources",
            "batch_max",
            "api_keys",
            "deprecated",
            "sunset",
            "deprecation_link",
            "gone_after_sunset",
            "limits",
            "throttles",
        ]
    ),
    "ResourcePlan": frozenset(
        [
            "name",
            "path",
            "prefix",
            "description",
            "owned_by",
            "fields",
            "relations",
            "operations",
            "unique_together",
            "tenant",
            "soft_delete",
            "audit",
            "checks",
            "no_overlap",
            "computed",
        ]
    ),
    "FieldPlan": frozenset(
        [
            "derived",
            "name",
            "public_name",
            "kind",
            "nullable",
            "required",
            "default",
            "write",
            "description",
            "read_scope",
            "write_scope",
            "hidden",
            "unique",
            "ignore_case",
            "generated",
            "caller_default",
            "min_length",
            "max_length",
            "pattern",
            "format",
            "minimum",
            "maximum",
            "decimal_places",
            "max_digits",
            "choices",
            "labels",
            "ranks",
            "json_type",
            "structure",
            "references",
            "filters",
        ]
    ),
    "RelationPlan": frozenset(
        [
            *("name", "public_name", "kind", "target", "input_name", "min_items", "max_items", "nested_route"),
            *("description", "link", "write_scope"),
        ]
    ),
    "OperationPlan": frozenset(
        [
            "id",
            "method",
            "path",
            "policy",
            "summary",
            "status",
            "page_size",
            "max_page_size",
            "output_form",
            "output_rows",
            "max_items",
            "headers",
            "errors",
            "sort",
            "related",
            "or_groups",
            "search",
            "default_sort",
            "sources",
            "target",
            "state_field",
            "input",
            "output",
            "returns_nothing",
            "export",
            "require_match",
            "idempotency",
            "timeout_seconds",
            "emits",
            "uses_request",
            "redirects",
            "media",
            "limits",
        ]
    ),
    "PayloadPlan": frozenset(["fields"]),
}
IRRELEVANT: dict[str, dict[str, str]] = {
    "Plan": {
        "name": "stands in log lines only",
        "schema": "whose tables they are, no client sees",
        "database_objects": "storage",
        "events_kept_seconds": "how far back events can be read, which no client does",
    },
    "ResourcePlan": {
        "table": "storage",
        "schema": "storage",
        "position_column": "storage",
        "owner_field": "stands in the policies that use it",
        "indexes": "storage",
        "searched": "storage",
        "shape": "follows from fields, relations and operations",
    },
    "FieldPlan": {
        "sensitive": "masks log lines",
        "example": "stands in documentation only",
        "computed": "how the value comes to be; that no client sets it is `write`",
        "on_delete": "what a deletion of another row does is seen in that row's operations",
        "column": "storage",
        "storage": "storage",
        "stored": "storage",
        "shown": "values of newer versions in the words of this one",
        "converted": "the kind of the older form is compared",
    },
    "RelationPlan": {
        "local_field": "storage",
        "remote_field": "storage",
        "link_table": "storage",
        "link_local": "storage",
        "link_remote": "storage",
        "link_schema": "storage",
    },
    "OperationPlan": {
        "acceptance": "stands in tests only",
        "critical": "asked by gates only",
        "cache": "asked by gates only",
        "objective": "measured by load tests only",
        "audited": "stands in log lines only",
        "name": "part of the id",
        "example": "stands in documentation only",
        "kind": "seen in method, status, input and output",
        "resource": "where it stands",
        "on_item": "part of the path",
        "success_message": "stands in log lines only",
        "retry_safe": "what becomes of a conflict in the database",
        "has_service": "what a service does is its own matter",
        "takes": "follows from fields, relations and the kind of operation",
        "query": "follows from fields, relations and the kind of operation",
    },
    "PayloadPlan": {"name": "stands in documentation only", "description": "stands in documentation only"},
}


class _Findings:
    """Collects the differences of one API version."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.found: list[Difference] = []
        self.default_limits: tuple[Iterable[Data], Iterable[Data]] = ((), ())
        """The rate limits of operations that declare none, before and after."""

    def _most(self, code: str, where: str, old: int | None, new: int | None, what: str) -> None:
        if old is None or new is None or old == new:
            return
        if new < old:
            self._break(f"{code}-narrowed", where, f"at most {new} {what}, and were {old}")
        else:
            self._add("additive", f"{code}-widened", where, f"at most {new} {what}, and were {old}")

    def _listed(self, where: str, code: str, old: Iterable[str], new: Iterable[str]) -> None:
        before, after = tuple(old), tuple(new)
        for name in before:
            if name not in after:
                self._break(f"{code}-removed", where, f"lists no longer accept the {code} {name}")
        come = [name for name in after if name not in before]
        if come:
            self._add("additive", f"{code}-added", where, f"lists accept the {code} {', '.join(come)}")

    def _texts(self, where: str, old: Data, new: Data, names: tuple[str, ...]) -> None:
        for name in names:
            if old.get(name) != new.get(name):
                self._add("neutral", "text-changed", where, f"the {name} is different")

    def _write_scope(self, where: str, old: Data, new: Data) -> None:
        was, now = old.get("write_scope"), new.get("write_scope")
        if was == now:
            return
        if now is None:
            self._add("additive", "write-scope-removed", where, "everyone who may do the operation may set it")
        else:
            self._break("write-scope-changed", where, f"only tokens with {now} may set it")

    def _http_only(self, where: str, old: Data, new: Data) -> None:
        was, now = _is_http_only(old), _is_http_only(new)
        if now and not was:
            self._break("http-only", where, "HTTP alone serves it, and batches refuse it")
        elif was and not now:
            self._add("additive", "http-only-ended", where, "batches take it")
        before, after = _answers_with(old), _answers_with(new)
        if before != after:
            self._break("media-changed", where, f"it responds with {after}, and did with {before}")

    def _timeout(self, where: str, old: float | None, new: float | None) -> None:
        if new is not None and (old is None or new < old):
            self._break("timeout-narrowed", where, f"its time limit is {new} seconds, and was {old}")
        else:
            self._add("additive", "timeout-widened", where, f"its time limit is {new} seconds, and was {old}")

    def _limits(self, where: str, old: Iterable[Data], new: Iterable[Data]) -> None:
        """Rate limits. What refuses nobody is nothing to clients."""
        was, now = ({one.name: one for one in map(limit_from_data, each) if not one.shadow} for each in (old, new))
        for name, limit in was.items():
            if name not in now:
                self._add("additive", "limit-removed", where, f"{name} is no longer counted: {describe_limit(limit)}")
            elif limit != now[name]:
                what = f"{name} is {describe_limit(now[name])}, and was {describe_limit(limit)}"
                if is_at_least(now[name], limit):
                    self._add("additive", "limit-widened", where, what)
                else:
                    code = "limit-narrowed" if is_at_least(limit, now[name]) else "limit-changed"
                    self._break(code, where, what)
        for name, limit in now.items():
            if name not in was:
                self._break(
                    "limit-added", where, f"{name}: {describe_limit(limit)}; what is beyond is refused with 429"
                )

    def _checks(self, place: str, old: Mapping[str, Data], new: Mapping[str, Data]) -> None:
        for name, check in old.items():
            if name not in new:
                self._add("additive", "check-removed", place, f"rows need not keep {name}")
                continue
            was, now = (policy_from_data(one["condition"]) for one in (check, new[name]))
            if was != now and implies(was, now):
                self._add("additive", "check-widened", place, f"{name} is {describe(now)}, and was {describe(was)}")
            elif was != now:
                self._break("check-changed", place, f"{name} is {describe(now)}, and was {describe(was)}")
            self._texts(f"{place}, {name}", check, new[name], ("message",))
        for name, check in new.items():
            if name not in old:
                what = describe(policy_from_data(check["condition"]))
                self._break("check-added", place, f"a row that does not keep {name} is rejected: {what}")

    def _overlaps(self, place: str, old: Mapping[str, Data], new: Mapping[str, Data]) -> None:
        for name, overlap in old.items():
            if name not in new:
                self._add("additive", "overlap-removed", place, f"{name} may overlap")
                continue
            was, now = (one["where"] and policy_from_data(one["where"]) for one in (overlap, new[name]))
            if was == now:
                continue
            if now is not None and (was is None or implies(now, was)):
                self._add("additive", "overlap-widened", place, f"{name} are only compared where {describe(now)}")
            else:
                what = f"{name} are compared" + ("" if now is None else f" where {describe(now)}")
                self._break("overlap-changed", place, what)
        for name in new:
            if name not in old:
                self._break("overlap-added", place, f"a row whose {name} overlap those of another one is rejected")

    def _break(self, code: str, where: str, what: str, fix: str = KEEP) -> None:
        self._add("breaking", code, where, what, fix)

    def _add(self, kind: Class, code: str, where: str, what: str, fix: str = "") -> None:
        self.found.append(Difference(kind, code, f"{self.version} {where}".strip(), what, fix))


_UNIQUE: tuple[tuple[str, str, str, Class, str, str], ...] = (
    (
        *("unique", "unique-added", "a second row with the same value is rejected"),
        *("additive", "unique-removed", "several rows may have the same value"),
    ),
    (
        *("ignore_case", "case-ignored", "a second row whose value differs in case alone is rejected"),
        *("breaking", "case-told-apart", "a filter does not find values that differ from its own in case"),
    ),
)
"""Options about equal values: what it is to have one that was not there, and to be without it."""


class _FieldComparison(_Findings):
    """Compares values: of resources, and of what operations take and give."""

    def _fields(
        self,
        place: str,
        old: Mapping[str, Data],
        new: Mapping[str, Data],
        *,
        accepts: frozenset[str],
        gives: bool = True,
    ) -> None:
        renamed = _renamed(old, new)
        for name, field in old.items():
            where = f"{place}.{name}"
            if name in new:
                self._field(where, field, new[name], accepts, gives=gives)
            elif name in renamed:
                self._break("field-renamed", where, f"it is renamed to {renamed[name]}")
            else:
                self._break("field-removed", where, "responses do not contain it, and inputs with it are rejected")
        for name, field in new.items():
            if name in old or name in renamed.values():
                continue
            where = f"{place}.{name}"
            if field["required"] and _written(field, accepts):
                self._break("required-field-added", where, "inputs without it are rejected", "give it a default")
            else:
                self._add("additive", "field-added", where, "it is new")

    def _field(self, where: str, old: Data, new: Data, accepts: frozenset[str], *, gives: bool) -> None:
        written = _written(old, accepts)
        self._texts(where, old, new, ("description",))
        if old["kind"] != new["kind"]:
            if new["kind"] == "string" and old["kind"] == "enum":
                self._break("type-changed", where, "values that were not listed are possible")
            else:
                self._break("type-changed", where, f"it is {new['kind']}, and was {old['kind']}")
            return
        for name, code in (
            ("format", "format-changed"),
            ("decimal_places", "decimals-changed"),
            ("references", "reference-changed"),
            ("json_type", "json-type-changed"),
        ):
            if old.get(name, new.get(name)) != new.get(name):
                self._break(code, where, f"{name} is {new.get(name)}, and was {old.get(name)}")
        self._structure(where, old.get("structure"), new.get("structure"), accepts if written else frozenset(), gives)
        self._nullable(where, old, new, written, gives)
        self._writing(where, old, new, accepts)
        self._bounds(where, old, new, written, gives)
        self._choices(where, old, new, written, gives)
        self._ranks(where, old, new)
        if old["pattern"] != new["pattern"]:
            if new["pattern"] is None:
                self._add("additive", "pattern-removed", where, "every string is accepted")
            else:
                self._break("pattern-changed", where, f"values must match {new['pattern']}")
        if old["default"] != new["default"] or old.get("caller_default") != new.get("caller_default"):
            if old["default"] is None and not old.get("caller_default") and (old["required"] or new["required"]):
                self._add(
                    "neutral",
                    "default-changed",
                    where,
                    "the effect of leaving it out is reported by whether it is required",
                )
            else:
                self._break("default-changed", where, f"its default is {new['default']!r}, and was {old['default']!r}")
        if old.get("generated") != new.get("generated"):
            self._break("generated-changed", where, "it is filled in by something else")
        for option, added, with_it, kind, removed, without_it in _UNIQUE:
            if new.get(option) and not old.get(option):
                self._break(added, where, with_it)
            elif old.get(option) and not new.get(option):
                self._add(kind, removed, where, without_it)
        if old["read_scope"] != new["read_scope"]:
            if new["read_scope"] is None:
                self._add("additive", "read-scope-removed", where, "everyone who sees the row sees it")
            else:
                self._break("read-scope-changed", where, f"only tokens with {new['read_scope']} see it")
        self._write_scope(where, old, new)
        self._listed(where, "filter", old["filters"], new["filters"])
        if old.get("derived") != new.get("derived"):
            what = f"its value is {_described(new.get('derived'))}, and was {_described(old.get('derived'))}"
            self._add("neutral", "computation-changed", where, what)

    def _structure(self, where: str, old: Data | None, new: Data | None, accepts: frozenset[str], gives: bool) -> None:
        """What a value in JSON consists of."""
        if old is None and new is None:
            return
        if old is None or new is None or old.keys() != new.keys():
            self._break("structure-changed", where, "the value consists of other parts")
            return
        for part in ("items", "values"):
            if part in new:
                self._field(f"{where}[]", old[part], new[part], accepts, gives=gives)
                self._least_items(where, old["min_items"], new["min_items"], accepts)
                self._most("items", where, old["max_items"], new["max_items"], "items")
        if old.get("discriminator") != new.get("discriminator"):
            what = f"objects are told apart by {new['discriminator']}, and were by {old['discriminator']}"
            self._break("discriminator-changed", where, what)
        elif "payloads" in new:
            self._payloads(where, old, new, accepts, gives)

    def _payloads(self, where: str, old: Data, new: Data, accepts: frozenset[str], gives: bool) -> None:
        """The objects that a value may be: alone it is the only one, whatever its name."""
        before, after = (_told_apart(one) for one in (old, new))
        for name, payload in before.items():
            if name in after:
                fields = (_by(each["fields"], "public_name") for each in (payload, after[name]))
                self._fields(where if name is None else f"{where}.{name}", *fields, accepts=accepts, gives=gives)
            else:
                self._break("variant-removed", where, f"objects of the kind {name} are rejected")
        for name in after:
            if name not in before and gives:
                self._break("variant-in-output", where, f"responses can contain objects of the kind {name}")
            elif name not in before:
                self._add("additive", "variant-added", where, f"objects of the kind {name} are accepted")

    def _least_items(self, where: str, old: int, new: int, accepts: frozenset[str]) -> None:
        if new > old and accepts:
            self._break("items-narrowed", where, f"fewer than {new} items are rejected")
        elif new != old:
            self._add("additive", "items-widened", where, f"at least {new} items, and were {old}")

    def _nullable(self, where: str, old: Data, new: Data, written: bool, gives: bool) -> None:
        if old["nullable"] == new["nullable"]:
            return
        if new["nullable"]:
            if gives:
                self._break("null-in-output", where, "responses can contain null, which clients do not expect")
            else:
                self._add("additive", "null-in-input", where, "null is accepted")
        elif written:
            self._break("null-refused", where, "inputs with null are rejected")
        else:
            self._add("additive", "null-never", where, "responses never contain null")

    def _writing(self, where: str, old: Data, new: Data, accepts: frozenset[str]) -> None:
        width = ("never", "create", "always")
        if old["write"] != new["write"]:
            if width.index(new["write"]) < width.index(old["write"]):
                self._break("write-narrowed", where, f"clients set it: {new['write']}")
            else:
                self._add("additive", "write-widened", where, f"clients set it: {new['write']}")
        was, now = (field["required"] and _written(field, accepts) for field in (old, new))
        if now and not was:
            self._break("required-added", where, "inputs without it are rejected", "give it a default")
        elif was and not now:
            self._add("additive", "required-removed", where, "it may be left out")

    def _bounds(self, where: str, old: Data, new: Data, written: bool, gives: bool) -> None:
        for name, narrower in (
            ("min_length", 1), ("max_length", -1), ("minimum", 1), ("maximum", -1), ("max_digits", -1)
        ):  # fmt: skip
            before, after = old.get(name), new.get(name)
            if before == after:
                continue
            narrowed = before is None or (
                after is not None and _is_narrower(new["kind"], name, before, after, narrower)
            )
            what = f"{name} is {after}, and was {before}"
            if narrowed and written:
                self._break("rule-narrowed", where, f"{what}: inputs that were accepted are rejected")
            elif narrowed:
                self._add("additive", "rule-narrowed-in-output", where, what)
            elif gives:
                self._add(
                    "additive",
                    "rule-widened",
                    where,
                    f"{what}: responses can contain values that were not possible before",
                )
            else:
                self._add("additive", "rule-widened", where, what)

    def _choices(self, where: str, old: Data, new: Data, written: bool, gives: bool) -> None:
        gone = [choice for choice in old["choices"] if choice not in new["choices"]]
        come = [choice for choice in new["choices"] if choice not in old["choices"]]
        if gone and written:
            self._break("choice-removed", where, f"inputs with {', '.join(gone)} are rejected")
        elif gone:
            self._add("additive", "choice-removed-in-output", where, f"responses never contain {', '.join(gone)}")
        if come and gives:
            what = f"responses can contain {', '.join(come)}, which clients do not know"
            self._break("choice-in-output", where, what)
        elif come:
            self._add("additive", "choice-added", where, f"{', '.join(come)} is accepted")

    def _ranks(self, where: str, old: Data, new: Data) -> None:
        """The labels of an enum's values, and their order."""
        if list(old.get("labels", ())) != list(new.get("labels", ())):
            self._add("neutral", "labels-changed", where, "its values have other labels")
        was, now = (list(one.get("ranks", ())) for one in (old, new))
        kept = [[value for value in one if value in other] for one, other in ((was, now), (now, was))]
        if was and now and kept[0] != kept[1]:
            self._break("order-changed", where, f"its values come in the order {', '.join(now)}")
        elif now and not was and sorted(now) != now:
            self._break("order-added", where, f"lists that are sorted by it have the order {', '.join(now)}")
        elif was and not now and sorted(was) != was:
            self._break("order-removed", where, "lists that are sorted by it have the order of the alphabet")


class _Comparison(_FieldComparison):
    """Compares one API version with itself."""

    def plan(self, old: Data, new: Data) -> list[Difference]:
        self._texts("", old, new, ("title", "description", "license", "version"))
        if old["base_path"] != new["base_path"]:
            self._break(
                "prefix-changed", "", f"every address starts with {new['base_path']} instead of {old['base_path']}"
            )
        self._most("batch", "", old.get("batch_max", 50), new.get("batch_max", 50), "operations in a batch")
        if old.get("api_keys", False) != new.get("api_keys", False):
            if new.get("api_keys"):
                self._add("additive", "api-keys-added", "", "API keys are accepted as well as tokens")
            else:
                self._break("api-keys-removed", "", "API keys are rejected")
        for name in ("deprecated", "sunset", "deprecation_link", "gone_after_sunset"):
            if old.get(name) != new.get(name):
                self._add("neutral", "deprecation-changed", "", f"{name} is {new.get(name)}, and was {old.get(name)}")
        self._limits("limit", old.get("limits", ()), new.get("limits", ()))
        self._limits("throttle", old.get("throttles", ()), new.get("throttles", ()))
        self.default_limits = (old.get("limits", ()), new.get("limits", ()))
        before, after = _named(old["resources"]), _named(new["resources"])
        for name, resource in before.items():
            if name in after:
                self._resource(resource, after[name])
            elif _served(resource):
                self._break("resource-removed", resource["path"], f"/{resource['path']} responds with 404")
        for name, resource in after.items():
            if name not in before and _served(resource):
                self._add("additive", "resource-added", resource["path"], f"/{resource['path']} is new")
        return self.found

    def _resource(self, old: Data, new: Data) -> None:
        place = old["path"]
        if not _served(old) and not _served(new):
            return
        if old["path"] != new["path"] and old["operations"] and new["operations"]:  # owned rows have no address
            self._break("path-changed", place, f"its address is /{new['path']}")
        if old["prefix"] != new["prefix"]:
            self._break("id-prefix-changed", place, f"ids start with {new['prefix']}_ instead of {old['prefix']}_")
        if old.get("owned_by") != new.get("owned_by"):
            self._break("ownership-changed", place, "its rows are written in a different way")
        self._texts(place, old, new, ("description",))
        groups = {tuple(group) for group in old["unique_together"]}
        for group in {tuple(group) for group in new["unique_together"]} - groups:
            self._break("unique-added", place, f"a second row with the same {', '.join(group)} is rejected")
        for group in groups - {tuple(group) for group in new["unique_together"]}:
            self._add("additive", "unique-removed", place, f"several rows may have the same {', '.join(group)}")
        self._checks(place, _named(old["checks"]), _named(new["checks"]))
        self._overlaps(place, _spans(old), _spans(new))
        self._fields(place, _visible(old), _visible(new), accepts=_accepts(old) | _accepts(new))
        self._relations(place, old, new)
        if bool(new.get("soft_delete")) != bool(old.get("soft_delete")):
            kept = "are kept in the database" if new.get("soft_delete") else "are deleted permanently"
            self._add("neutral", "soft-delete-changed", place, f"deleted rows {kept}")
        if bool(new.get("audit")) != bool(old.get("audit")):
            recorded = "is recorded" if new.get("audit") else "is no longer recorded"
            self._add("neutral", "audit-changed", place, f"the history of changes {recorded}")
        if new.get("tenant") and new.get("tenant") != old.get("tenant"):
            self._break(
                "tenant-added",
                place,
                f"rows belong to tenants (field {new['tenant']}), and only callers with a tenant are allowed",
            )
        elif old.get("tenant") and not new.get("tenant"):
            self._add(
                "additive", "tenant-removed", place, "rows no longer belong to tenants, and callers need no tenant"
            )
        before, after = _by(old["operations"], "id"), _by(new["operations"], "id")
        for key, operation in before.items():
            if key in after:
                self._operation(operation, after[key])
            else:
                self._break("operation-removed", key, f"{operation['method']} {operation['path']} is removed")
        for key, operation in after.items():
            if key not in before:
                self._add("additive", "operation-added", key, f"{operation['method']} {operation['path']} is new")

    # -- relations

    def _relations(self, place: str, old: Data, new: Data) -> None:
        before, after = _named(old["relations"]), _named(new["relations"])
        renamed = _renamed(before, after)
        for name, relation in before.items():
            where = f"{place}.{name}"
            if name in renamed:
                self._break("relation-changed", where, f"public_name is {renamed[name]}, and was {name}")
                continue
            if name not in after:
                self._break("relation-removed", where, "include= with it is rejected, and responses do not contain it")
                continue
            other = after[name]
            for attribute in ("kind", "target", "input_name"):
                if relation[attribute] == other[attribute]:
                    continue
                what = f"{attribute} is {other[attribute]}, and was {relation[attribute]}"
                if attribute == "input_name" and relation[attribute] is None:
                    self._add("additive", "relation-writable", where, what)
                else:
                    self._break("relation-changed", where, what)
            if relation["nested_route"] != other["nested_route"]:
                if other["nested_route"]:
                    self._add("additive", "nested-list-added", where, "the list has its own address")
                else:
                    self._break("nested-list-removed", where, "the list's own address responds with 404")
            if other["min_items"] > relation["min_items"]:
                self._break("items-narrowed", where, f"lists with fewer than {other['min_items']} items are rejected")
            elif other["min_items"] < relation["min_items"]:
                self._add("additive", "items-widened", where, f"lists of {other['min_items']} items are accepted")
            self._most("items", where, relation["max_items"], other["max_items"], "items")
            self._links(where, relation.get("link"), other.get("link"))
            self._write_scope(where, relation, other)
            self._texts(where, relation, other, ("description",))
        for name, relation in after.items():
            if name not in before and name not in renamed.values():
                where = f"{place}.{name}"
                if relation["input_name"] and relation["min_items"]:
                    self._break("required-field-added", where, "inputs without it are rejected", "allow an empty list")
                else:
                    self._add("additive", "relation-added", where, "it is new")

    def _links(self, where: str, old: Data | None, new: Data | None) -> None:
        """Which rows an input may refer to; without a policy of its own those that the caller may read."""
        if old is not None and new is not None:
            self._policy(f"{where} link", policy_from_data(old), policy_from_data(new))
        elif new is not None and policy_from_data(new) == Public():
            self._add("additive", "link-widened", where, "an input may refer to every row")
        elif old != new:
            self._break("link-changed", where, "an input may refer to other rows than before")

    # -- operations

    def _operation(self, old: Data, new: Data) -> None:
        where = old["id"]
        for name, code in (("method", "method-changed"), ("path", "path-changed"), ("status", "status-changed")):
            if old[name] != new[name]:
                self._break(code, where, f"{name} is {new[name]}, and was {old[name]}")
        self._texts(where, old, new, ("summary",))
        self._policy(where, policy_from_data(old["policy"]), policy_from_data(new["policy"]))
        self._most("page-size", where, old["max_page_size"], new["max_page_size"], "rows of a page")
        if old["page_size"] != new["page_size"]:
            self._break("page-size-changed", where, f"a page has {new['page_size']} rows, and had {old['page_size']}")
        self._own_answers(where, old, new)
        self._listed(where, "sort", old["sort"], new["sort"])
        was, now = (_related_filters(one) for one in (old, new))
        self._listed(where, "filter", was, now)
        for path in was.keys() & now.keys():
            if was[path] != now[path]:
                rows = "every row counts" if now[path] else "only rows that the caller may read count"
                self._add("neutral", "filter-rows-changed", f"{where}.{path}", rows)
        groups_before, groups = old.get("or_groups", 0), new.get("or_groups", 0)
        if groups < groups_before:
            self._break("or-groups-narrowed", where, f"at most {groups} groups of filters, and were {groups_before}")
        elif groups > groups_before:
            self._add("additive", "or-groups-widened", where, f"{groups} groups of filters can be joined by or")
        self._search(where, old, new)
        if old.get("export", False) != new.get("export", False):
            if new.get("export"):
                self._add("additive", "export-added", where, "the whole list can be exported")
            else:
                self._break("export-removed", where, "the whole list cannot be exported")
        if old["default_sort"] != new["default_sort"]:
            self._break("default-sort-changed", where, f"the default order of lists is {new['default_sort']}")
        self._states(where, old, new)
        if old["returns_nothing"] != new["returns_nothing"]:
            self._break(
                "answer-changed",
                where,
                "the response has no body" if new["returns_nothing"] else "the response has a body",
            )
        if old.get("require_match", False) != new.get("require_match", False):
            if new.get("require_match"):
                self._break("match-required", where, "without If-Match it responds with 428")
            else:
                self._add("additive", "match-optional", where, "If-Match may be left out")
        self._idempotency(where, old, new)
        self._http_only(where, old, new)
        self._events(where, old.get("emits", ()), new.get("emits", ()))
        if old["timeout_seconds"] != new["timeout_seconds"]:
            self._timeout(where, old["timeout_seconds"], new["timeout_seconds"])
        for name, code in (("input", "input"), ("output", "output")):
            self._payload(where, code, old[name], new[name])
        own = [one.get("limits") for one in (old, new)]
        if own != [None, None]:  # else those of the plan, which is compared as a whole
            pairs = zip(own, self.default_limits, strict=True)
            self._limits(where, *(default if limits is None else limits for limits, default in pairs))

    def _idempotency(self, where: str, old: Data, new: Data) -> None:
        """Whether a change has to come with a key."""
        was, now = (one.get("idempotency", "optional") == "required" for one in (old, new))
        if now and not was:
            self._break("key-required", where, "without an Idempotency-Key it responds with 400")
        elif was and not now:
            self._add("additive", "key-optional", where, "the Idempotency-Key may be left out")

    def _events(self, where: str, old: Iterable[str], new: Iterable[str]) -> None:
        """What consumers of events wait for."""
        before, after = tuple(old), tuple(new)
        for name in before:
            if name not in after:
                self._break("event-removed", f"{where} {name}", f"the event {name} is not emitted", KEEP_EVENT)
        for name in after:
            if name not in before:
                self._add("additive", "event-added", f"{where} {name}", f"the event {name} is emitted")

    def _search(self, where: str, old: Data, new: Data) -> None:
        """The fields that a list is searched in, the first of which counts most."""
        was, now = ({each["name"]: each["all"] for each in one.get("search", ())} for one in (old, new))
        if was and not now:
            self._break("search-removed", where, "lists cannot be searched")
        elif now and not was:
            self._add("additive", "search-added", where, f"lists can be searched in {', '.join(now)}")
        elif [*was] != [*now]:
            what = f"searches look into {', '.join(now)}, and did into {', '.join(was)}"
            if was.keys() - now.keys():
                self._break("search-narrowed", where, f"{what}: they find fewer rows")
            else:
                self._add("neutral", "search-changed", where, f"{what}: they find other rows, or in another order")
        for name in was.keys() & now.keys():
            if was[name] != now[name]:
                who = "everyone" if now[name] else "only who may read it"
                self._add("neutral", "search-opened", f"{where}.{name}", f"{who} finds rows by it")

    def _own_answers(self, where: str, old: Data, new: Data) -> None:
        """What an operation of the author's gives, beside its payload."""
        forms = [(one.get("output_form", "one"), one.get("output_rows")) for one in (old, new)]
        if forms[0] != forms[1]:
            (was, rows_before), (now, rows) = forms
            what = f"it responds with {now} of {rows or 'its output'}, and did with {was} of {rows_before or 'it'}"
            self._break("output-changed", where, what)
        self._most("list", where, old.get("max_items"), new.get("max_items"), "items")
        headers_before, headers = (dict(one.get("headers", ())) for one in (old, new))
        for name in headers_before.keys() - headers.keys():
            self._break("header-removed", where, f"responses do not have the header {name}")
        for name in headers.keys() - headers_before.keys():
            self._add("additive", "header-added", where, f"responses have the header {name}")
        errors_before, errors = (_by(one.get("errors", ()), "code") for one in (old, new))
        for code in errors_before.keys() - errors.keys():
            self._add("additive", "error-removed", where, f"it does not respond with {code}")
        for code in errors.keys() - errors_before.keys():
            self._add("additive", "error-added", where, f"it can respond with {code}")
        for code in errors.keys() & errors_before.keys():
            if errors[code]["status"] != errors_before[code]["status"]:
                self._break("error-changed", where, f"{code} has the status {errors[code]['status']}")

    def _states(self, where: str, old: Data, new: Data) -> None:
        gone = [state for state in old["sources"] if state not in new["sources"]]
        come = [state for state in new["sources"] if state not in old["sources"]]
        if gone:
            self._break("source-removed", where, f"it is no longer possible from {', '.join(gone)}")
        if come:
            self._add("additive", "source-added", where, f"it is possible from {', '.join(come)}")
        if (old["target"], old["state_field"]) != (new["target"], new["state_field"]):
            self._break("target-changed", where, f"it leads to {new['target']}, and led to {old['target']}")

    def _payload(self, where: str, name: str, old: Data | None, new: Data | None) -> None:
        if old is None and new is None:
            return
        if old is None or new is None:
            self._break(f"{name}-changed", where, f"it has {'no' if new is None else 'an'} {name}")
            return
        fields = [_named(one["fields"]) for one in (old, new)]
        accepts = frozenset({"always", "create", "never"}) if name == "input" else frozenset[str]()
        self._fields(f"{where} {name}", *fields, accepts=accepts, gives=name == "output")

    def _policy(self, where: str, old: PolicyNode, new: PolicyNode) -> None:
        if old == new:
            return
        what = f"allowed for {describe(new)}, and was for {describe(old)}"
        narrowed, widened = _narrows(old, new), _narrows(new, old)
        if unnamed(old) == unnamed(new):
            self._add("neutral", "policy-text", where, what)
            return
        if not narrowed and not widened:
            self._add("neutral", "policy-rewritten", where, f"{what}: the same callers")
        elif not narrowed:
            self._add("additive", "policy-widened", where, what)
        else:
            code = "policy-narrowed" if not widened else "policy-changed"
            self._break(code, where, what)


def _is_http_only(operation: Data) -> bool:
    return bool(operation.get("uses_request") or operation.get("redirects") or operation.get("media"))


def _answers_with(operation: Data) -> str:
    media = operation.get("media")
    return media["type"] if media else "another address" if operation.get("redirects") else "JSON"


def _named(items: Iterable[Data]) -> dict[str, Data]:
    return _by(items, "name")


def _by(items: Iterable[Data], name: str) -> dict[str, Data]:
    return {item[name]: item for item in items}


def _spans(resource: Data) -> dict[str, Data]:
    """What may not overlap in a resource, by what clients see of it."""
    return {
        f"{one['start']} and {one['end']}" + (f" with the same {' and '.join(one['keys'])}" if one["keys"] else ""): one
        for one in resource["no_overlap"]
    }


def _served(resource: Data) -> bool:
    return bool(resource["operations"]) or bool(resource.get("owned_by"))


def _visible(resource: Data) -> dict[str, Data]:
    return _named(field for field in (*resource["fields"], *resource.get("computed", ())) if not field["hidden"])


def _described(derived: Data | None) -> str:
    """How a field comes to its value, in words."""
    if derived is None:
        return "stored"
    every = ", whoever reads it" if derived["all"] else ""
    if "relation" not in derived:
        return f"computed in Python of {', '.join(derived['fields']) or 'the id'}{every}"
    where = "" if derived["where"] is None else f" where {describe(policy_from_data(derived['where']))}"
    last = f"({derived['field']}, by {derived['by']})" if derived["field"] else ""
    return f"{derived['function']}{last} of {derived['relation']}{where}{every}"


def _renamed(old: Mapping[str, Data], new: Mapping[str, Data]) -> dict[str, str]:
    """Members that are gone and stand in their class as before, with the names that clients see now."""
    came = {member[DECLARED]: name for name, member in new.items() if name not in old}
    gone = {name: member[DECLARED] for name, member in old.items() if name not in new}
    return {name: came[declared] for name, declared in gone.items() if declared in came}


def _accepts(resource: Data) -> frozenset[str]:
    """The write rules of fields that some operation takes."""
    if resource.get("owned_by"):
        return frozenset(WRITABLE["create"])
    return frozenset(rule for operation in resource["operations"] for rule in WRITABLE.get(operation["kind"], ()))


def _is_narrower(kind: str, name: str, before: Any, after: Any, narrower: int) -> bool:
    """Whether a bound allows fewer values than the one before."""
    if name in ("minimum", "maximum") and isinstance(after, str) and kind != _DECIMAL:
        read = KINDS[cast("KindName", kind)].read
        return read(after) > read(before) if narrower > 0 else read(after) < read(before)
    return (Decimal(str(after)) - Decimal(str(before))) * narrower > 0


_DECIMAL = next(kind.name for kind in KINDS.values() if Decimal in kind.types)


def _related_filters(operation: Data) -> dict[str, bool]:
    """The filters of a list over rows that it refers to; whether rows count that a caller may not read."""
    return {
        ".".join((*each["path"], each["field"], *each.get("members", ()))): each["all"]
        for each in operation.get("related", ())
    }


def _told_apart(structure: Data) -> dict[str | None, Data]:
    """The payloads of a structure by the value that tells them apart."""
    tag = structure["discriminator"]
    if tag is None:
        return {None: structure["payloads"][0]}
    return {
        next(field["choices"][0] for field in payload["fields"] if field["name"] == tag): payload
        for payload in structure["payloads"]
    }


def _written(field: Data, accepts: frozenset[str]) -> bool:
    return field["write"] in accepts


_NODES: dict[str, Callable[[Data], PolicyNode]] = {
    "Public": lambda data: Public(),
    "Authenticated": lambda data: Authenticated(),
    "Scope": lambda data: Scope(data["name"]),
    "Owner": lambda data: Owner(tuple(data["path"])),
    "Compare": lambda data: Compare(tuple(data["path"]), data["operator"], _compared(data["value"])),
    "AllOf": lambda data: AllOf(tuple(policy_from_data(part) for part in data["parts"])),
    "AnyOf": lambda data: AnyOf(tuple(policy_from_data(part) for part in data["parts"])),
    "Not": lambda data: Not(policy_from_data(data["part"])),
    "Named": lambda data: Named(data["name"], data["text"], policy_from_data(data["part"])),
    "CallerIs": lambda data: CallerIs(_of_caller(data["of"]), data["operator"], _compared(data["value"])),
    "Through": lambda data: Through(
        tuple(data["path"]), data["relation"], data["target"], policy_from_data(data["where"])
    ),
}


def _compared(value: Any) -> Any:
    """What a policy compares with, from its JSON form."""
    if isinstance(value, Mapping):
        found = cast("Data", value)
        match found["policy"]:
            case "Now":
                return Now()
            case "OfCaller":
                return _of_caller(found)
            case kind:
                return (Outside if kind == "Outside" else ValueAt)(tuple(found["path"]))
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


def _of_caller(data: Data) -> OfCaller:
    return OfCaller(
        data["source"], data["name"], data["form"], data["prefix"], tuple(data["choices"]), many=data["many"]
    )


def policy_from_data(data: Data) -> PolicyNode:
    """A policy from its JSON form."""
    return _NODES[data["policy"]](data)


def _narrows(old: PolicyNode, new: PolicyNode) -> bool:
    """Whether a caller could lose access to a row; True as well if the opposite cannot be proven."""
    named = tuple(dict.fromkeys((*scopes(old), *scopes(new))))
    if len(named) > SCOPES_MAX:
        return True
    return any(
        not implies(fold(old, known=known, scopes=held), fold(new, known=known, scopes=held))
        for known, held in _callers(named)
    )


def _callers(named: tuple[str, ...]) -> Iterator[tuple[bool, frozenset[str]]]:
    yield False, frozenset()
    for held in chain.from_iterable(combinations(named, count) for count in range(len(named) + 1)):
        yield True, frozenset(held)
