"""The model: what the documentation says of rows, policies, lists and writes, in plain Python and in memory.

It shares no code with the framework. Values are Python's own; ids are symbols such as `@004.00.anc` (the operation that
made the row, a number, the prefix), which sort in the order of creation. Where the documentation is silent, the comment says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import combinations
from typing import Any
from uuid import UUID

from tests.support.words import distance, words

from .contracts import LISTS, LOWER, TENANT, Policy, Res, Rows, Spec, Value, parts
from .written import Written

Row = dict[str, Any]
BEGIN = datetime.now(UTC).replace(microsecond=0)
"""When each run begins: near the real time, by which tokens are issued."""

EVERYONE = "every tenant"
"""As a scope: the rows of all tenants. None is no tenant, and sees no row of one."""


@dataclass(frozen=True)
class Caller:
    """Who calls: `sub` and `tenant` are texts or symbols of rows; `known` is False without a token."""

    name: str
    known: bool = False
    sub: str | None = None
    scopes: frozenset[str] = frozenset()
    tenant: str | None = None
    claims: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass
class Answer:
    """What is expected: of `data` and `meta` everything, of an error its code and the paths of its details where they are known."""

    status: int
    data: Any = None
    meta: dict[str, Any] | None = None
    code: str | None = None
    paths: set[str] | None = None
    others: list[set[str]] = field(default_factory=list[set[str]])  # where each of several may be told: the other paths
    version: int | None = None
    empty: bool = False
    loose: bool = False  # the answer may hold more than `data`


class Refused(Exception):
    """An operation that is answered with an error."""

    def __init__(
        self, status: int, code: str, paths: Iterable[str] | None = None, others: Iterable[Iterable[str]] = ()
    ) -> None:
        super().__init__(f"{status} {code} {paths}")
        self.others = [set(each) for each in others]
        self.status = status
        self.code = code
        self.paths = None if paths is None else set(paths)


def not_found() -> Refused:
    return Refused(404, "NOT_FOUND")


def invalid(*paths: str) -> Refused:
    return Refused(400, "VALIDATION_ERROR", paths)


# -- values


class Wrong(Exception):
    """A value that its field does not take; the arguments are the paths of the parts of it that are wrong, if it has some."""


def from_json(spec: Spec, value: Value, sent: Any) -> Any:
    """A JSON value as the field keeps it."""
    if sent is None:
        if not value.nullable:
            raise Wrong
        return None
    match value.kind:
        case "id":
            if not (isinstance(sent, str) and sent.startswith("@")):
                raise Wrong
        case "str":
            if not isinstance(sent, str) or len(sent) > (value.max_length or 10_000):
                raise Wrong
        case "int":
            if isinstance(sent, bool) or not isinstance(sent, int):
                raise Wrong
            if (value.low is not None and sent < value.low) or (value.high is not None and sent > value.high):
                raise Wrong
        case "float":
            if isinstance(sent, bool) or not isinstance(sent, int | float):
                raise Wrong
            return float(sent)
        case "bool":
            if not isinstance(sent, bool):
                raise Wrong
        case "enum":
            if sent not in value.choices:
                raise Wrong
        case "json":
            return sent
        case "strs" | "ints" | "map" | "spot" | "way":
            return nested(value, sent)
        case "decimal" | "date" | "datetime" | "uuid":
            if not isinstance(sent, str):
                raise Wrong
            return from_text(value, sent)
        case _:
            raise AssertionError(value.kind)
    return sent


TEXT, WHOLE = (lambda part: isinstance(part, str)), (lambda part: isinstance(part, int) and not isinstance(part, bool))
"""Which parts of nested values are texts and whole numbers."""


def nested(value: Value, sent: Any) -> Any:
    """A value with parts as the field keeps it: with what has a default (nest-values.md)."""
    most = value.max_items or 100
    if value.kind in LISTS or value.kind == "map":
        if not isinstance(sent, list if value.kind in LISTS else dict) or len(sent) > most:
            raise Wrong
        refuse(
            f".{name}"
            for name, part in (sent.items() if isinstance(sent, dict) else enumerate(sent))
            if not (TEXT(part) and len(part) <= (value.max_length or 10_000) if value.kind == "strs" else WHOLE(part))
            or (value.kind != "strs" and value.low is not None and not value.low <= part <= value.high)
        )
        return sent
    if not isinstance(sent, dict):
        raise Wrong
    if value.kind == "spot":
        whole = {"depth": 1, **sent}
        right = {"label": TEXT(whole.get("label")) and len(whole["label"]) <= 5}
        right |= {"depth": WHOLE(whole["depth"]) and -5 <= whole["depth"] <= 9}
        refuse(f".{name}" for name in {**whole, **right} if not right.get(name))
        return whole
    if sent.get("kind") not in ("sail", "motor"):
        raise Wrong
    if sent["kind"] == "sail":
        whole, right = sent, {"area": WHOLE(sent.get("area"))}
    else:
        whole = {"tanks": [], **sent}
        right = {"fuel": TEXT(whole.get("fuel")) and len(whole["fuel"]) <= 4}
        right |= {"tanks": len(whole["tanks"]) <= 2 and all(map(WHOLE, whole["tanks"]))}
    refuse(f".{sent['kind']}.{name}" for name in {**whole, **right} if name != "kind" and not right.get(name))
    return whole


def refuse(paths: Iterable[str]) -> None:
    if wrong := list(paths):
        raise Wrong(*wrong)


def from_text(value: Value, text: str) -> Any:
    """The text of a parameter, or of a JSON string, as the field keeps it."""
    try:
        match value.kind:
            case "id":
                if not text.startswith("@"):
                    raise Wrong
                return text
            case "str" | "strs":
                return text
            case "int" | "ints":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "false": False}[text]
            case "enum":
                if text not in value.choices:
                    raise Wrong
                return text
            case "decimal":
                return Decimal(text)
            case "date":
                return date.fromisoformat(text)
            case "datetime":
                return datetime.fromisoformat(text).astimezone(UTC)
            case "uuid":
                return UUID(text)
    except (ValueError, KeyError, InvalidOperation):
        raise Wrong from None
    raise AssertionError(value.kind)


def to_json(value: Value, kept: Any) -> Any:
    """What a field keeps as JSON."""
    if kept is None:
        return None
    match value.kind:
        case "decimal":
            return f"{kept:.{value.places}f}"
        case "date":
            return kept.isoformat()
        case "datetime":
            return kept.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        case "uuid":
            return str(kept)
        case _:
            return kept


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "gt": lambda left, right: left > right,
    "gte": lambda left, right: left >= right,
    "lt": lambda left, right: left < right,
    "lte": lambda left, right: left <= right,
    "in": lambda left, right: left in right,
    "contains": lambda left, right: right in left,
    "startsWith": lambda left, right: left.startswith(right),
    "endsWith": lambda left, right: left.endswith(right),
    "has": lambda left, right: right in left,
    "hasAny": lambda left, right: any(each in left for each in right),
    "hasAll": lambda left, right: all(each in left for each in right),
}
INSENSITIVE = {"iEq": "eq", "iContains": "contains", "iStartsWith": "startsWith"}
SEVERAL = ("in", "hasAny", "hasAll")
Test = tuple[str, str, Any]
"""A field, or a relation and a field behind it with a dot between; the operator; the value."""


def ordered(rows: Iterable[Row], order: list[tuple[Callable[[Row], Any], bool, bool]]) -> list[Row]:
    """Rows by (what, descending, nulls first); each key is applied from the last to the first, as sorting is stable."""
    found = list(rows)
    for get, descending, nulls_first in reversed(order):
        values = [row for row in found if get(row) is not None]
        nulls = [row for row in found if get(row) is None]
        values = _sorted(values, get, descending)
        found = nulls + values if nulls_first else values + nulls
    return found


def _sorted(rows: list[Row], get: Callable[[Row], Any], descending: bool) -> list[Row]:
    if not descending:
        return sorted(rows, key=get)
    groups: dict[Any, list[Row]] = {}
    for row in rows:  # a reversed sort would turn around rows that are equal
        groups.setdefault(get(row), []).append(row)
    return [row for key in sorted(groups, reverse=True) for row in groups[key]]


# -- what is asked of a list


@dataclass
class Asked:
    """What of a resource, or of an included relation, is wanted."""

    fields: set[str] | None = None
    whole: bool = False
    below: dict[str, Asked] = field(default_factory=dict)
    tests: list[Test] = field(default_factory=list)
    sort: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None


@dataclass
class Query:
    asked: Asked
    tests: list[Test] = field(default_factory=list)
    groups: dict[str, list[Test]] = field(default_factory=dict)
    sort: list[tuple[str, bool]] | None = None
    search: set[str] | None = None
    page: int = 1
    size: int | None = None
    cursor: bool = False
    count: bool = False


class Model:
    """The state of a service, and what each operation answers."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.tables: dict[str, dict[str, Row]] = {res.name: {} for res in spec.main}
        self.owned = {res.name: {rows.name for rows in res.owned} for res in spec.main}
        self.pairs: dict[str, set[tuple[str, str]]] = {}
        self.now = BEGIN
        self.asking = ANYBODY
        self.number = 0
        self.made = 0
        self.written = Written()
        """By the present call."""
        self.compared: dict[int, tuple[Policy, Res, Value]] = {}
        """What each part of a policy compares with a value of the caller: the resource and the field of it."""
        for res in spec.main:
            for policy in res.allow.values():
                self._note_compared(policy, res)

    # -- state

    def snapshot(self) -> Any:
        """A copy of all rows and pairs. Values are not changed in place, but for the lists of parts."""
        tables = {
            name: {
                key: {
                    field: [dict(item) for item in kept] if field in self.owned[name] else kept
                    for field, kept in row.items()
                }
                for key, row in rows.items()
            }
            for name, rows in self.tables.items()
        }
        return tables, {name: set(pairs) for name, pairs in self.pairs.items()}

    def go_back(self, snapshot: Any) -> None:
        self.tables, self.pairs = snapshot

    def new_id(self, res: Res) -> str:
        self.made += 1
        return f"@{self.number:03d}.{self.made - 1:02d}.{res.prefix}"

    def is_id(self, res: Res, text: Any) -> bool:
        """Whether a text is an id of a resource, of a row that is there or not."""
        return isinstance(text, str) and text.startswith("@") and text.endswith(f".{res.prefix}")

    def standing(self, res: Res, tenant: str | None, deleted: bool = False) -> list[Row]:
        """The rows that there are for a caller of a tenant, in the order of creation."""
        rows = [self.tables[res.name][key] for key in sorted(self.tables[res.name])]
        if res.tenant and tenant != EVERYONE:
            rows = [row for row in rows if tenant is not None and row[res.tenant] == tenant]
        return [row for row in rows if deleted or row["deleted"] is None]

    def find(self, res: Res, key: Any, tenant: str | None, deleted: bool = False) -> Row | None:
        row = self.tables[res.name].get(key)
        if row is None or (row["deleted"] is not None and not deleted):
            return None
        if res.tenant and tenant != EVERYONE and (tenant is None or row[res.tenant] != tenant):
            return None
        return row

    def target(self, value: Value) -> Res:
        return self.spec.by_name[str(value.to)]

    # -- policies

    def _note_compared(self, policy: Policy, res: Res) -> None:
        if policy[0] == "mine":
            end = self.end(res, policy[1])
            self.compared[id(policy)] = policy, end, end.at(policy[2])
        if policy[0] == "list":
            res = self.spec.by_name[self.end(res, policy[2]).rows(policy[3]).target]
        for part in parts(policy):
            self._note_compared(part, res)

    def fold(self, policy: Policy, caller: Caller, negated: bool = False) -> bool | None:
        """What a policy comes to for the caller whatever the row; None where that depends on the row."""
        match policy:
            case ("owner", _) if caller.known:
                return None
            case ("cmp", *_):
                return None
            case ("mine", *_):
                return None if self.is_told(policy, caller) else False
            case ("caller", _, operator, constant):
                found = self.of_caller(policy, caller)
                return found is not None and COMPARE[operator](found, constant) is not negated
            case ("list", word, _, _, inner):
                none = (word == "none") is not negated
                if none and not self.all_told(inner, caller):
                    return False
                return none if self.fold(inner, caller) is False else None
            case ("not", part):
                return self.fold(part, caller, not negated)
            case ("and" | "or" as word, left, right):
                decisive = (word == "or") is not negated
                found = (self.fold(left, caller, negated), self.fold(right, caller, negated))
                return decisive if decisive in found else None if None in found else not decisive
            case ("public",):
                return not negated
            case ("authenticated",):
                return caller.known is not negated
            case ("scope", name):
                return (name in caller.scopes) is not negated
            case ("owner", _):
                return negated
        raise AssertionError(policy)

    def of_caller(self, policy: Policy, caller: Caller, value: Value | None = None, own: Res | None = None) -> Any:
        """The value of the caller that a policy compares with, in the form of a field; None where there is no such one."""
        source, many = (policy[1], False) if policy[0] == "caller" else (policy[4], policy[3] == "in")
        found = caller.tenant if source == TENANT else caller.claims.get(source) if caller.known else None
        constant = policy[3][0] if policy[0] == "caller" and policy[2] == "in" else policy[3]
        if value is None:
            return found if type(found) is type(constant) and _kept(found) else None
        kinds = {"str": str, "enum": str, "int": int, "bool": bool, "id": str}

        def fits(each: Any) -> bool:
            right = type(each) is kinds[value.kind] and _kept(each) and (not value.choices or each in value.choices)
            return right and (value.kind != "id" or self.is_id(self.owner_kind(own, value), each))

        if many:
            return found if isinstance(found, list) and len(found) <= 100 and all(map(fits, found)) else None
        return found if fits(found) else None

    def is_told(self, policy: Policy, caller: Caller) -> bool:
        """Whether the caller has the value that a part of a policy compares with."""
        if policy[0] == "caller":
            return self.of_caller(policy, caller) is not None
        own, value = self.compared[id(policy)][1:]
        return self.of_caller(policy, caller, value, own) is not None

    def all_told(self, policy: Policy, caller: Caller) -> bool:
        """Whether the caller has all values that a policy compares with."""
        mine = policy[0] not in ("mine", "caller") or self.is_told(policy, caller)
        return mine and all(self.all_told(part, caller) for part in parts(policy))

    def holds(
        self,
        policy: Policy,
        res: Res,
        row: Row,
        caller: Caller,
        tenant: str | None,
        *,
        about: tuple[str, str] | None = None,
        outer: tuple[Res, Row] | None = None,
        negated: bool = False,
    ) -> bool:
        """Whether a policy allows a row: a comparison with null is false, and a negation is its exact complement; but what
        is compared with what the caller does not have is neither.

        Args:
            about: the row that is asked about, where it is a single one.
            outer: the row outside, for one of a list.
        """
        where: dict[str, Any] = {"about": about, "outer": outer}
        match policy:
            case ("owner", refs):
                return (caller.known and self._owns(res, row, refs, caller, tenant)) is not negated
            case ("cmp", *_):
                return self._compares(policy, res, row, tenant, outer) is not negated
            case ("mine", refs, name, operator, _):
                end = self.end(res, refs)
                compared = self.of_caller(policy, caller, end.at(name), end)
                if compared is None:
                    return False
                found = self._follow(res, row, refs, tenant)
                return self._agree(found, name, operator, compared) is not negated
            case ("list", word, refs, name, _):
                if (word == "none") is not negated:
                    return self._none(policy, res, row, caller, tenant, about)
                return self._some(policy, res, row, caller, tenant, about)
            case ("not", part):
                return self.holds(part, res, row, caller, tenant, negated=not negated, **where)
            case ("and" | "or" as word, left, right):
                held = [self.holds(part, res, row, caller, tenant, negated=negated, **where) for part in (left, right)]
                return any(held) if (word == "or") is not negated else all(held)
            case _:
                return self.fold(policy, caller, negated) is True

    def end(self, res: Res, refs: tuple[str, ...]) -> Res:
        """The resource at the end of references."""
        for name in refs:
            res = self.target(res.at(name))
        return res

    def _compares(self, policy: Policy, res: Res, row: Row, tenant: str | None, outer: tuple[Res, Row] | None) -> bool:
        _, refs, name, operator, constant = policy
        found = self._follow(res, row, refs, tenant)
        if operator == "isNull":
            return found is None or found[1][found[0].at(name).name] is None
        match constant:
            case ("at", other):
                return found is not None and self._agree(found, name, operator, found[1][found[0].at(other).name])
            case ("outer", path, other):
                assert outer is not None
                beyond = self._follow(*outer, path, tenant)
                compared = None if beyond is None else beyond[1][beyond[0].at(other).name]
                return self._agree(found, name, operator, compared)
            case tuple(several):
                return self._agree(found, name, operator, list(several))
            case _:
                return self._agree(found, name, operator, constant)

    def _agree(self, found: tuple[Res, Row] | None, name: str, operator: str, compared: Any) -> bool:
        """Whether a value compares with another one."""
        if found is None or compared is None:
            return False
        value = found[0].at(name)
        kept = found[1][value.name]
        return kept is not None and COMPARE[operator](value.told(kept), value.told(compared))

    def _some(
        self, policy: Policy, res: Res, row: Row, caller: Caller, tenant: str | None, about: tuple[str, str] | None
    ) -> bool:
        """Whether some row of a list fits; what the same call has written besides does not count."""
        _, _, refs, name, _ = policy
        rows = self.end(res, refs).rows(name)
        if self.written.unsure_of(rows, about):
            return False
        return self._fitting(policy, rows, res, row, caller, tenant, about)

    def _none(
        self, policy: Policy, res: Res, row: Row, caller: Caller, tenant: str | None, about: tuple[str, str] | None
    ) -> bool:
        """Whether no row of a list fits: where the call has changed some, or what would fit is not known, that is not known."""
        _, _, refs, name, inner = policy
        at = self.end(res, refs)
        if not self.all_told(inner, caller):
            return False
        if self.fold(inner, caller) is False:  # no row fits, whatever was written
            return True
        if row["id"] == "@new" and self._follow(res, row, refs, tenant) is None:  # there is no list at all
            return True
        if self.has_changed(inner, at.rows(name), about):
            return False
        return not self._fitting(policy, at.rows(name), res, row, caller, tenant, about)

    def has_changed(self, inner: Policy, rows: Rows, about: tuple[str, str] | None) -> bool:
        """Whether the call has changed a list, or one that its condition looks into."""
        return self.written.changed_of(rows, about) or any(
            self.has_changed(part[4], self.end(self.spec.by_name[rows.target], part[2]).rows(part[3]), about)
            for part in _own_lists(inner)
        )

    def _fitting(
        self,
        policy: Policy,
        rows: Rows,
        res: Res,
        row: Row,
        caller: Caller,
        tenant: str | None,
        about: tuple[str, str] | None,
    ) -> bool:
        found = self._follow(res, row, policy[2], tenant)
        if found is None:
            return False
        target = self.spec.by_name[rows.target]
        aside = self.written.aside(rows.target, about)
        return any(
            self.holds(policy[4], target, other, caller, tenant, about=about, outer=(res, row))
            for other in self.related(rows, found[1], tenant)
            if other["id"] not in aside
        )

    def _owns(self, res: Res, row: Row, refs: tuple[str, ...], caller: Caller, tenant: str | None) -> bool:
        found = self._owner(res, row, refs, tenant)
        if found is None:
            return False
        at, value, kept = found
        if kept is None or (value.kind == "id" and not self.is_id(self.owner_kind(at, value), caller.sub)):
            return False
        return kept == caller.sub

    def _owner(self, res: Res, row: Row, refs: tuple[str, ...], tenant: str | None) -> tuple[Res, Value, Any] | None:
        """The field that says whose a row at the end of references is, and its value. Where that is the row's id, the
        reference tells it, even of a row that is not there yet or no more."""
        end = res
        for name in refs:
            end = self.target(next(value for value in end.refs if value.relation == name))
        told = refs and end.owner == "id" and not (end.soft or end.tenant)
        found = self._follow(res, row, refs[:-1] if told else refs, tenant)
        if found is None:
            return None
        at, owned = found
        value = next(value for value in at.refs if value.relation == refs[-1]) if told else at.at(str(at.owner))
        return at, value, owned[value.name]

    def owner_kind(self, res: Res | None, value: Value) -> Res:
        found = self.target(value) if value.to else res
        assert found is not None
        return found

    def _follow(self, res: Res, row: Row, refs: tuple[str, ...], tenant: str | None) -> tuple[Res, Row] | None:
        """The row at the end of references; none where one is null, or leads to what is not there for the caller."""
        for name in refs:
            value = next(value for value in res.refs if value.relation == name)
            res = self.target(value)
            if (found := self.find(res, row[value.name], tenant)) is None:
                return None
            row = found
        return res, row

    def may_nobody(self, res: Res, operation: str) -> bool:
        """Whether no caller without a token may, whatever the row."""
        return self.fold(res.allow[operation], ANYBODY) is False

    # -- one operation

    def enter(self, res: Res, operation: str, caller: Caller) -> None:
        """What is asked of every caller before anything else: 401, and whom they act for."""
        if not caller.known and self.may_nobody(res, operation):
            raise Refused(401, "UNAUTHENTICATED")
        if res.tenant:
            if not caller.known:
                raise Refused(401, "UNAUTHENTICATED")
            if caller.tenant is None:
                raise Refused(403, "TENANT_REQUIRED")

    def denied(self, caller: Caller) -> Refused:
        return Refused(403, "FORBIDDEN") if caller.known else Refused(401, "UNAUTHENTICATED")

    def load(self, res: Res, operation: str, key: str, caller: Caller, match: Any = None, deleted: bool = False) -> Row:
        """The row that an operation is about (not-found-before-forbidden.md)."""
        own = self.fold(res.allow[operation], caller)
        seeing = False if res.reading is None else self.fold(res.reading, caller)
        if own is False and seeing is False:
            raise self.denied(caller)
        row = self.find(res, key, caller.tenant, deleted)
        if row is None:
            raise not_found()
        about = (res.name, row["id"])
        if not self.holds(res.allow[operation], res, row, caller, caller.tenant, about=about):
            visible = row["deleted"] is None and res.reading is not None
            visible = visible and self.holds(res.reading, res, row, caller, caller.tenant, about=about)
            raise self.denied(caller) if visible else not_found()
        if match is not None and match != "*" and (res.version is None or row[res.version] != match):
            raise Refused(412, "PRECONDITION_FAILED")
        return row

    # -- reading

    def browse(
        self, res: Res, caller: Caller, query: list[tuple[str, str]], parent: tuple[Res, Rows, str] | None = None
    ) -> Answer:
        self.enter(res, "browse", caller)
        asked = self.parse(res, query, caller, True)
        rows = self.listed(res, caller, asked, parent)
        size = asked.size or res.page_size
        start = 0 if asked.cursor else (asked.page - 1) * size
        page = rows[start : start + size]
        cut: set[str] = set()
        data = [self.view(res, row, caller, asked.asked, cut) for row in page]
        more = len(rows) > start + size and bool(page)
        if asked.cursor:
            meta: dict[str, Any] = {"pageSize": size, "nextCursor": True if more else None}
            meta |= {"totalCount": len(rows)} if asked.count else {}
        else:
            meta = {"page": asked.page, "pageSize": size, "totalCount": len(rows), "totalPages": -(-len(rows) // size)}
            meta |= {"nextCursor": True} if more else {}
        meta |= {"truncated": sorted(cut)} if cut else {}
        return Answer(200, data, meta)

    def listed(self, res: Res, caller: Caller, asked: Query, parent: tuple[Res, Rows, str] | None) -> list[Row]:
        """All rows of a list, in its order."""
        policy = res.allow["browse"]
        if self.fold(policy, caller) is False:
            raise self.denied(caller)
        rows = self.standing(res, caller.tenant)
        if parent is not None:
            above, relation, key = parent
            by = self.key_of(relation)
            if by is not None and not self.sees(by, caller):
                raise self.denied(caller)
            seeing = False if above.reading is None else self.fold(above.reading, caller)
            if seeing is False:
                raise self.denied(caller)
            assert above.reading is not None
            row = self.find(above, key, caller.tenant)
            about = (above.name, key)
            if row is None or not self.holds(above.reading, above, row, caller, caller.tenant, about=about):
                raise not_found()
            rows = self.related(relation, row, caller.tenant)
        rows = [row for row in rows if self.holds(policy, res, row, caller, caller.tenant)]
        rows = [row for row in rows if self.fits(res, row, asked.tests, caller)]
        if asked.groups:
            groups = asked.groups.values()
            rows = [row for row in rows if any(self.fits(res, row, tests, caller) for tests in groups)]
        sort = asked.sort
        if asked.search is not None:
            far = {row["id"]: distance(asked.search, [row[name] for name in res.search]) for row in rows}
            rows = [row for row in rows if far[row["id"]] is not None]
            if sort is None:  # the best first (search-a-list.md)
                return ordered(
                    rows, [(lambda row: far[row["id"]], False, False), (lambda row: row["id"], False, False)]
                )
        if sort is None:
            sort = [(name.removeprefix("-"), name.startswith("-")) for name in res.default_sort]
        return in_order(rows, sort)

    def fits(self, res: Res, row: Row, tests: list[Test], caller: Caller) -> bool:
        """The filters of a list (read-lists.md): those over other rows look at the ones that the caller may read."""
        for name, operator, wanted in tests:
            relation, dot, field_name = name.rpartition(".")
            if not dot:
                if not self.test(res.at(name), row[name], operator, wanted):
                    return False
                continue
            key = res.at(relation)
            target = self.target(key)
            other = None if row[key.name] is None else self.find(target, row[key.name], caller.tenant)
            if other is None or not self.seen(target, other, caller, caller.tenant):
                return False
            if not self.test(target.at(field_name), other[field_name], operator, wanted):
                return False
        return True

    def test(self, value: Value, kept: Any, operator: str, wanted: Any) -> bool:
        """A row whose value is null fits no operator but `isNull` (filters.md)."""
        if operator == "isNull":
            return (kept is None) is wanted
        if kept is None:
            return False
        if operator in INSENSITIVE:
            return COMPARE[INSENSITIVE[operator]](kept.translate(LOWER), wanted.translate(LOWER))
        if operator in ("eq", "ne", "in"):
            return COMPARE[operator](value.told(kept), value.told(wanted))
        return COMPARE[operator](kept, wanted)

    def related(self, rows: Rows, row: Row, tenant: str | None, deleted: bool = False) -> list[Row]:
        """The rows of a relation that are there, in the order of creation."""
        if rows.kind == "owned":
            return row[rows.name]
        target = self.spec.by_name[rows.target]
        if rows.kind == "many":
            return [other for other in self.standing(target, tenant, deleted) if other[str(rows.by)] == row["id"]]
        pairs = self.pairs.get(str(rows.through), set())
        keys = {b if rows.first else a for a, b in pairs if (a if rows.first else b) == row["id"]}
        return [other for other in self.standing(target, tenant, deleted) if other["id"] in keys]

    def read(
        self, res: Res, caller: Caller, key: str, query: list[tuple[str, str]], none_match: Answer | None
    ) -> Answer:
        self.enter(res, "read", caller)
        asked = self.parse(res, query, caller, False)
        row = self.load(res, "read", key, caller)
        cut: set[str] = set()
        data = self.view(res, row, caller, asked.asked, cut)
        version = row[res.version] if res.version else None
        if none_match is not None and version is not None and none_match.version == version and none_match.data == data:
            return Answer(304, empty=True, version=version)
        return Answer(200, data, {"truncated": sorted(cut)} if cut else {}, version=version)

    def sees(self, value: Value, caller: Caller) -> bool:
        return value.read is None or value.read in caller.scopes

    def view(
        self,
        res: Res,
        row: Row,
        caller: Caller,
        asked: Asked | None = None,
        cut: set[str] | None = None,
        path: str = "",
    ) -> Row:
        """A row as an answer shows it."""
        asked = asked or Asked()
        chosen = None if asked.whole or asked.fields is None else asked.fields
        data = {
            value.public: to_json(value, row[value.name])
            for value in res.fields
            if not value.back and self.sees(value, caller) and (chosen is None or value.name in chosen)
        }
        for value in res.refs:
            if str(value.relation) in asked.below:
                data[str(value.relation)] = self._view_one(value, row, caller, asked, cut, path)
        for rows in res.lists:
            below = asked.below.get(rows.name)
            if below is None and (rows.kind != "owned" or chosen is not None):
                continue
            data[rows.public] = self._view_list(rows, row, caller, below or Asked(), cut, path)
        return data

    def _view_one(
        self, value: Value, row: Row, caller: Caller, asked: Asked, cut: set[str] | None, path: str
    ) -> Row | None:
        target = self.target(value)
        found = self.find(target, row[value.name], caller.tenant) if row[value.name] is not None else None
        if (
            found is None
            or target.reading is None
            or not self.holds(target.reading, target, found, caller, caller.tenant)
        ):
            return None
        return self.view(target, found, caller, asked.below[str(value.relation)], cut, f"{path}{value.relation}.")

    def _view_list(
        self, rows: Rows, row: Row, caller: Caller, asked: Asked, cut: set[str] | None, path: str
    ) -> list[Row]:
        target = self.spec.by_name[rows.target]
        found = self.related(rows, row, caller.tenant)
        if rows.kind != "owned":
            assert target.reading is not None
            found = [other for other in found if self.holds(target.reading, target, other, caller, caller.tenant)]
            # the order without `sort` is not documented: it is that of creation
            found = in_order([other for other in found if self.fits(target, other, asked.tests, caller)], asked.sort)
        limit = min(asked.limit or rows.most, rows.most)
        if len(found) > limit and (rows.kind != "owned" or asked.limit) and cut is not None:
            cut.add(f"{path}{rows.public}")
            found = found[:limit]
        return [self.view(target, other, caller, asked, cut, f"{path}{rows.public}.") for other in found]

    # -- parameters

    def parse(self, res: Res, query: list[tuple[str, str]], caller: Caller, is_list: bool) -> Query:
        """Parameters as they are sent, by what they mean; every problem is named."""
        found, wrong = Query(Asked()), []
        self.asking = caller
        for name, text in query:
            try:
                self._parameter(res, name, text, caller, is_list, found)
            except Wrong:
                wrong.append(name)
        if wrong:
            raise invalid(*wrong)
        return found

    def _parameter(self, res: Res, name: str, text: str, caller: Caller, is_list: bool, found: Query) -> None:
        if name == "include":
            for path in text.split(","):
                self._include(res, path, found.asked)
        elif name == "fields":
            for path in text.split(","):
                self._field(res, path, found.asked, caller)
        elif name.startswith("or.") and is_list and res.or_groups:
            _, group, rest = name.split(".", 2)
            if group not in found.groups and len(found.groups) >= res.or_groups:
                raise Wrong
            found.groups.setdefault(group, []).append(self._own_test(res, rest, text, caller))
        elif is_list and self._far(res, name):
            found.tests.append(self._own_test(res, name, text, caller))
        elif "." in name:
            path, _, rest = name.rpartition(".")
            asked, target, rows = self._include(res, path, found.asked)
            if rows is None:
                raise Wrong
            if rest == "limit":
                asked.limit = whole(text, rows.most)
            elif rest == "sort":
                asked.sort = self._sort(target, text)
            else:
                asked.tests.append(self._test(target, rest, text, caller, rows.by if rows.kind == "many" else None))
        elif not is_list:
            raise Wrong
        elif name == "page":
            found.page = whole(text, 10_000_000)
        elif name == "pageSize":
            found.size = whole(text, res.max_page_size)
        elif name == "cursor":
            found.cursor = True
        elif name == "count":
            found.count = True
        elif name == "sort":
            found.sort = self._sort(res, text)
        elif name == "search" and res.search:
            found.search = words(text)
            if not 1 <= len(found.search) <= 10 or len(text) > 200:
                raise Wrong
        else:
            found.tests.append(self._test(res, name, text, caller, None))

    def _far(self, res: Res, name: str) -> tuple[str, str] | None:
        """The relation and the field of a filter over the rows that those of a list refer to."""
        shown = {(relation, self.target(res.at(relation)).at(field).public): relation for relation, field in res.far}
        relation, _, rest = name.partition(".")
        return (relation, rest) if (relation, rest.partition("[")[0]) in shown else None

    def _own_test(self, res: Res, name: str, text: str, caller: Caller) -> Test:
        """A filter of a list itself, or of rows that it refers to."""
        if (far := self._far(res, name)) is None:
            return self._test(res, name, text, caller, None)
        key = res.at(far[0])
        if not self.sees(key, caller):
            raise Wrong
        field_name, operator, wanted = self._test(self.target(key), far[1], text, caller, None)
        return f"{far[0]}.{field_name}", operator, wanted

    def _sort(self, res: Res, text: str) -> list[tuple[str, bool]]:
        found: dict[str, bool] = {}
        names = {res.at(name).public: name for name in res.sort if "browse" in res.allow}
        for part in text.split(","):
            if part.removeprefix("-") not in names:
                raise Wrong
            found.setdefault(names[part.removeprefix("-")], part.startswith("-"))
        return list(found.items())

    def _test(self, res: Res, name: str, text: str, caller: Caller, without: str | None) -> tuple[str, str, Any]:
        name, _, operator = name.removesuffix("]").partition("[")
        operator = operator or "eq"
        value = next((value for value in res.fields if value.public == name), None)
        if value is None or operator not in value.operators or not self.sees(value, caller) or value.name == without:
            raise Wrong
        if operator == "isNull":
            return value.name, operator, text == "true"
        if operator in SEVERAL:
            return value.name, operator, [from_text(value, part) for part in text.split(",")]
        return value.name, operator, from_text(value, text)

    def relation(self, res: Res, public: str) -> tuple[Res, Rows | None, str]:
        """What may be included: relations whose rows some policy lets somebody see, and that are not hidden themselves."""
        target, rows, name = self._relation(res, public)
        key = next((v for v in res.refs if v.relation == name), None) if rows is None else self.key_of(rows)
        if key is not None and not self.sees(key, self.asking):
            raise Wrong
        return target, rows, name

    def key_of(self, rows: Rows) -> Value | None:
        """The key by which the rows of a list point back."""
        return self.spec.by_name[rows.target].at(str(rows.by)) if rows.kind == "many" else None

    def _relation(self, res: Res, public: str) -> tuple[Res, Rows | None, str]:
        for value in res.refs:
            if value.relation == public and not value.back and self.target(value).reading is not None:
                return self.target(value), None, public
        for rows in res.lists:
            if rows.public == public and (rows.kind == "owned" or self.spec.by_name[rows.target].reading is not None):
                return self.spec.by_name[rows.target], rows, rows.name
        raise Wrong

    def _include(self, res: Res, path: str, asked: Asked) -> tuple[Asked, Res, Rows | None]:
        rows: Rows | None = None
        if path.count(".") > 3:
            raise Wrong
        for part in path.split("."):
            res, rows, name = self.relation(res, part)
            asked = asked.below.setdefault(name, Asked())
        return asked, res, rows

    def _field(self, res: Res, path: str, asked: Asked, caller: Caller) -> None:
        before, dot, name = path.rpartition(".")
        at, target = (asked, res) if not dot else self._include(res, before, asked)[:2]
        shown = [value for value in target.fields if not value.back and self.sees(value, caller)]
        value = next((value for value in shown if value.public == name), None)
        if value is None:
            self.relation(target, name)
        steps, here, where = before.split(".") if dot else [], asked, res
        here.fields = here.fields or set()
        for step in steps:
            where, _, key = self.relation(where, step)
            here = here.below[key]
            here.fields = here.fields or set()
        if value is not None:
            assert at.fields is not None
            at.fields.add(value.name)
        else:
            self._include(res, path, asked)[0].whole = True

    # -- writing

    def inputs(self, res: Res, writes: tuple[str, ...], body: Any, partial: bool, keeps: bool = False) -> Row:
        """A body by field name; every problem is named. `keeps`: what cannot be seen may be left out."""
        wrong: list[str] = []
        values: Row = {}
        known_names: set[str] = set()
        for value in res.fields:
            if (
                value.write not in writes
                or value.name == "id"
                or value.auto
                or value.computed
                or value.name == res.tenant
            ):
                continue
            known_names.add(value.public)
            if value.public in body:
                try:
                    values[value.name] = from_json(self.spec, value, body[value.public])
                    if (
                        value.kind == "id"
                        and values[value.name] is not None
                        and not self.is_id(self.target(value), values[value.name])
                    ):
                        raise Wrong
                except Wrong as error:
                    wrong += [value.public + part for part in error.args or ("",)]
            elif not partial:
                if value.required and not (keeps and value.read):
                    wrong.append(value.public)
                elif not value.caller:
                    values[value.name] = None if value.default is NO_DEFAULT else value.default
        for rows in res.lists:
            if rows.kind == "many" or rows.write == "never":
                continue
            known_names.add(rows.input)
            if rows.input in body:
                values[rows.name] = self._list_input(rows, body[rows.input], wrong)
            elif not partial:
                values[rows.name] = []
        wrong += [name for name in body if name not in known_names]
        if wrong:
            raise invalid(*wrong)
        return values

    def _list_input(self, rows: Rows, sent: Any, wrong: list[str]) -> list[Any]:
        target = self.spec.by_name[rows.target]
        if not isinstance(sent, list) or len(sent) > rows.most:
            wrong.append(rows.input)
            return []
        if rows.kind == "linked":
            for number, key in enumerate(sent):
                if not self.is_id(target, key):
                    wrong.append(f"{rows.input}.{number}")
            if len(set(map(str, sent))) != len(sent):
                raise Refused(400, "VALIDATION_ERROR")
            return sent
        items: list[Row] = []
        for number, item in enumerate(sent):
            try:
                items.append(self.inputs(target, ("always", "create"), item, False, keeps=True))
            except Refused as refused:
                wrong += [f"{rows.input}.{number}.{path}" for path in refused.paths or ()]
        return items

    def withhold(
        self, res: Res, writes: tuple[str, ...], body: Any, values: Row, caller: Caller, keeps: bool
    ) -> set[str]:
        """A field that a caller may not read is not writable for them either, unless `write` says so; left out, it
        stays as it is. The names of what was left out so."""
        refused: list[str] = []
        missing: list[str] = []
        withheld = self._withhold(res, writes, body, values, caller, keeps, "", refused, missing)
        if refused:
            raise Refused(403, "FORBIDDEN", refused)
        if missing:
            raise invalid(*missing)
        return withheld

    def _withhold(
        self,
        res: Res,
        writes: tuple[str, ...],
        body: Any,
        values: Row,
        caller: Caller,
        keeps: bool,
        path: str,
        refused: list[str],
        missing: list[str],
    ) -> set[str]:
        withheld: set[str] = set()
        for value in res.fields:
            if not value.read or value.write not in writes or value.auto or value.computed:
                continue
            if value.public in body:
                if value.write == "always" and not self.sees(value, caller):
                    refused.append(path + value.public)
            elif not self.sees(value, caller):
                values.pop(value.name, None)
                withheld.add(value.name)
            elif keeps and value.required:
                missing.append(path + value.public)
        for rows in res.owned:
            target = self.spec.by_name[rows.target]
            for number, item in enumerate(body.get(rows.input) or []):
                where, row = f"{path}{rows.input}.{number}.", values[rows.name][number]
                self._withhold(target, ("always", "create"), item, row, caller, True, where, refused, missing)
        return withheld

    def keep_items(self, res: Res, values: Row, row: Row | None, caller: Caller) -> None:
        """What a caller cannot see of items stays: with the item that looks the same to them, else in order."""
        refused: list[str] = []
        for rows in res.owned:
            unseen = [v for v in self.spec.by_name[rows.target].fields if v.read and not self.sees(v, caller)]
            unseen = [v for v in unseen if v.write != "never" and not v.auto and not v.computed and not v.back]
            if rows.name not in values or not unseen:
                continue
            left = list(row[rows.name]) if row is not None else []
            names = {value.name for value in unseen}
            same: list[Row | None] = []
            for item in values[rows.name]:
                shown = {name: value for name, value in item.items() if name not in names}
                partner = next((old for old in left if all(old.get(n) == v for n, v in shown.items())), None)
                if partner is not None:
                    left.remove(partner)
                same.append(partner)
            for number, (item, found) in enumerate(zip(values[rows.name], same, strict=True)):
                partner = left.pop(0) if found is None and left else found
                for value in unseen:
                    if value.name in item:
                        continue
                    if partner is not None:
                        item[value.name] = partner[value.name]
                    elif value.required:
                        refused.append(f"{rows.input}.{number}.{value.public}")
        if refused:
            raise Refused(403, "FORBIDDEN", refused)

    def default_caller(
        self, res: Res, values: Row, caller: Caller, writes: tuple[str, ...], kept: set[str] | None = None
    ) -> None:
        for value in res.refs:
            if (
                value.caller
                and value.write in writes
                and values.get(value.name) is None
                and value.name not in (kept or ())
            ):
                sub = caller.sub if self.is_id(self.target(value), caller.sub) else None
                if sub is None and not value.nullable:
                    raise Refused(422, "UNPROCESSABLE", [value.public])
                values[value.name] = sub

    def complete(self, res: Res, values: Row, tenant: str | None) -> Row:
        """A whole new row, without its id and its lists."""
        row: Row = {"deleted": None}
        for value in res.fields:
            if value.name in values:
                row[value.name] = values[value.name]
            elif value.auto in ("created", "updated"):
                row[value.name] = self.now
            elif value.auto == "version":
                row[value.name] = 1
            elif value.name == res.tenant:
                row[value.name] = tenant
            else:
                row[value.name] = None if value.default is NO_DEFAULT else value.default
        return row

    def place_items(self, res: Res, rows: Rows, row: Row, items: list[Row], keep: list[Row] | None = None) -> None:
        """Gives a row these parts, after those it keeps."""
        target = self.spec.by_name[rows.target]
        made: list[Row] = list(keep or [])
        for item in items:
            whole_item = self.complete(target, item, None)
            whole_item["id"] = self.new_id(target)
            whole_item[f"{res.name.lower()}_id"] = row["id"]
            made.append(whole_item)
        row[rows.name] = made
        self.compute(res, row)
        self.written.owned((res.name, row["id"]), rows.target, [item["id"] for item in made])

    def compute(self, res: Res, row: Row) -> None:
        """Computed totals: the sum of the products."""
        for value in res.fields:
            if value.computed:
                relation, *factors = value.computed
                total = 0
                for item in row.get(relation, []):
                    product = 1
                    for factor in factors:
                        product *= item[factor] or 0  # a missing one is refused further on
                    total += product
                row[value.name] = total

    def create(self, res: Res, caller: Caller, body: Any) -> Answer:
        self.enter(res, "create", caller)
        values = self.inputs(res, ("always", "create"), body, False)
        self.withhold(res, ("always", "create"), body, values, caller, False)
        policy = res.allow["create"]
        self.default_caller(res, values, caller, ("always", "create"))
        folded = self.fold(policy, caller)
        if folded is False:
            raise self.denied(caller)
        self.keep_items(res, values, None, caller)
        row = self.complete(res, values, caller.tenant)
        self.with_items(res, row, values)
        if folded is None:
            row["id"] = "@new"
            if not self.holds(policy, res, row, caller, caller.tenant):
                if self.looks_further(policy, res, caller) and self.refers_to_hidden(res, row, values, caller):
                    raise Refused(422, "REFERENCE_NOT_FOUND")
                raise self.denied(caller)
        self.insert(res, row, values, caller.tenant, caller)
        return Answer(201, self.view(res, row, caller), {}, version=row[res.version] if res.version else None)

    def with_items(self, res: Res, row: Row, values: Row) -> None:
        """Totals are part of a row as it would be."""
        for rows in res.owned:
            items = [self.complete(self.spec.by_name[rows.target], item, None) for item in values.get(rows.name, [])]
            row[rows.name] = items
        self.compute(res, row)

    def refers_to_hidden(self, res: Res, row: Row, values: Row, caller: Caller) -> bool:
        """Whether a new row refers to one of those that only some may see, and the caller may not."""
        for value in (value for value in res.refs if self.hides(self.target(value), caller)):
            if row[value.name] is not None and not self.referable(value, row, caller.tenant, caller):
                return True
        for rows in res.lists:
            target = self.spec.by_name[rows.target]
            for sent in values.get(rows.name, []) if rows.kind != "many" else []:
                if rows.kind == "owned":
                    if self.refers_to_hidden(target, self.complete(target, sent, None), {}, caller):
                        return True
                elif self.hides(target, caller):
                    other = self.find(target, sent, caller.tenant)
                    if other is None or not self.seen(target, other, caller, caller.tenant):
                        return True
        return False

    def hides(self, res: Res, caller: Caller) -> bool:
        """Whether some rows of a resource are hidden from a caller."""
        return res.reading is None or self.fold(res.reading, caller) is not True

    def looks_further(self, policy: Policy, res: Res, caller: Caller, negated: bool = False) -> bool:
        """Whether what is left of a policy for the caller looks at rows that the row refers to."""
        match policy:
            case ("owner", refs):
                for name in refs[:-1]:
                    res = self.target(next(value for value in res.refs if value.relation == name))
                if not refs:
                    return False
                last = self.target(next(value for value in res.refs if value.relation == refs[-1]))
                # a row whose owner is its id is looked at by its key, unless it may be gone for the caller
                return len(refs) > 1 or last.owner != "id" or last.soft or last.tenant is not None
            case ("cmp" | "mine", refs, *_):
                return bool(refs)
            case ("list", *_):
                return True
            case ("not", part):
                return self.looks_further(part, res, caller, not negated)
            case ("and" | "or", left, right):
                return any(
                    self.fold(part, caller, negated) is None and self.looks_further(part, res, caller, negated)
                    for part in (left, right)
                )
            case _:
                return False

    def insert(self, res: Res, row: Row, values: Row, tenant: str | None, caller: Caller | None = None) -> None:
        """Puts a new row in place with its lists; references and unique values are checked."""
        row["id"] = self.new_id(res)
        self.check(res, row, values, tenant, caller, writing=None)
        self.tables[res.name][row["id"]] = row
        self.written.added(res.name, row["id"])
        for rows in res.owned:
            row[rows.name] = []
            if values.get(rows.name):
                self.place_items(res, rows, row, values[rows.name])
        self.compute(res, row)
        for rows in res.lists:
            if rows.kind == "linked" and values.get(rows.name):
                self.set_links(rows, row, values[rows.name], tenant)

    def check(
        self,
        res: Res,
        row: Row,
        values: Row,
        tenant: str | None,
        caller: Caller | None,
        writing: set[str] | None,
        before: Row | None = None,
    ) -> None:
        """References have to lead to rows that are there, and unique values to be free. Which of two is told is not documented.

        What the row refers to already (`before`) can be sent back by who may not see it.
        """
        missing = [
            value.public
            for value in res.refs
            if (writing is None or value.name in writing)
            and row[value.name] is not None
            and not self.referable(value, row, tenant, caller, [before] if before else [])
        ]
        for rows in res.lists:
            if rows.kind == "many" or rows.name not in values:
                continue
            target = self.spec.by_name[rows.target]
            for number, sent in enumerate(values[rows.name]):
                if rows.kind == "linked":
                    other = self.find(target, sent, tenant)
                    if other is None or (caller and not self.seen(target, other, caller, tenant)):
                        missing.append(f"{rows.input}.{number}")
                    continue
                missing += [
                    f"{rows.input}.{number}.{value.public}"
                    for value in target.refs
                    if not value.back
                    if sent.get(value.name) is not None
                    and not self.referable(value, sent, tenant, caller, before[rows.name] if before else [])
                ]
        taken = self.taken(res, row)
        broken = self.broken(res, row) or self.broken_items(res, values)
        found = {"REFERENCE_NOT_FOUND": missing, "DUPLICATE": taken, "CONSTRAINT_VIOLATED": broken}
        found["OVERLAP"] = overlapping = self.overlapping(res, row)
        if sum(map(bool, found.values())) > 1:
            raise Refused(0, " or ".join(code for code, details in found.items() if details))
        if broken:  # all that is broken is told at once
            raise Refused(422, "CONSTRAINT_VIOLATED", set().union(*broken))
        if overlapping:
            raise Refused(409, "OVERLAP", overlapping[0], overlapping[1:])
        if missing:
            some = [parts for size in range(1, len(missing)) for parts in combinations(missing, size)]
            raise Refused(422, "REFERENCE_NOT_FOUND", missing, some)  # the details name one at least
        if taken:
            raise Refused(409, "DUPLICATE", taken[0], taken[1:])

    def referable(
        self, value: Value, row: Row, tenant: str | None, caller: Caller | None, before: list[Row] | None = None
    ) -> bool:
        target = self.target(value)
        if row[value.name] == row.get("id"):
            return True
        found = self.find(target, row[value.name], tenant)
        if found is None:
            return False
        known_already = any(item.get(value.name) == row[value.name] for item in before or ())
        if caller is None or known_already or (value.caller and row[value.name] == caller.sub):
            return True
        return self.seen(target, found, caller, tenant)

    def seen(self, res: Res, row: Row, caller: Caller, tenant: str | None, *, single: bool = False) -> bool:
        """Whether the policy of reading shows a row; without one nobody sees any."""
        about = (res.name, row["id"]) if single else None
        return res.reading is not None and self.holds(res.reading, res, row, caller, tenant, about=about)

    def groups(self, res: Res) -> list[tuple[str, ...]]:
        """What may not repeat: within a tenant, among the rows that are there."""
        return [(value.name,) for value in res.fields if value.unique] + res.together

    def taken(self, res: Res, row: Row) -> list[list[str]]:
        """The fields whose values another row has already, by the rule that they break: the details name one of these."""
        found: list[list[str]] = []
        for group in self.groups(res):
            if any(row[name] is None for name in group):
                continue
            for other in self.standing(res, EVERYONE):
                if other["id"] == row["id"] or (res.tenant and other[res.tenant] != row[res.tenant]):
                    continue
                if all(res.at(name).told(other[name]) == res.at(name).told(row[name]) for name in group):
                    found.append([res.at(name).public for name in group])
                    break
        return found

    # -- rules over rows (keep-rules-over-rows.md)

    def known(self, condition: Policy, res: Res, row: Row) -> bool | None:
        """What a condition is for a row, as SQL has it: None where that is not known, as with a value that is not there."""
        match condition:
            case ("cmp", _, name, "isNull", _):
                value = res.at(name)
                return row[value.name] is None if value.name in row else None
            case ("cmp", _, name, operator, constant):
                value = res.at(name)
                compared = (
                    row.get(res.at(constant[1]).name)
                    if isinstance(constant, tuple) and constant[:1] == ("at",)
                    else constant
                )
                kept = row.get(value.name)
                if kept is None or compared is None:
                    return None
                compared = list(compared) if operator == "in" else compared
                equality = operator in ("eq", "ne", "in")
                return (
                    COMPARE[operator](value.told(kept), value.told(compared))
                    if equality
                    else COMPARE[operator](kept, compared)
                )
            case ("not", part):
                inner = self.known(part, res, row)
                return None if inner is None else not inner
            case ("and" | "or" as word, left, right):
                decisive = word == "or"
                found = (self.known(left, res, row), self.known(right, res, row))
                return decisive if decisive in found else None if None in found else not decisive
        raise AssertionError(condition)

    def broken(self, res: Res, row: Row) -> list[set[str]]:
        """Of each check that is known to be false the fields that its error names: those that a client can set, if any."""
        found: list[set[str]] = []
        for _, condition in self.rules(res):
            if self.known(condition, res, row) is False:
                values = [res.at(name) for name in named_in(condition)]
                free = [v for v in values if not (v.auto or v.computed or v.write == "never")]
                found.append({value.public for value in free or values})
        return found

    def rules(self, res: Res) -> list[tuple[str | None, Policy]]:
        """The checks of a resource, and that each span begins before it ends."""
        spans = {(start, end): ("cmp", (), start, "lt", ("at", end)) for _, start, end in res.spans}
        return [*res.checks, *((None, condition) for condition in spans.values())]

    def broken_items(self, res: Res, values: Row) -> list[set[str]]:
        """The same of the first part that breaks one."""
        for rows in res.owned:
            target = self.spec.by_name[rows.target]
            for number, item in enumerate(values.get(rows.name, [])):
                if broken := self.broken(target, self.complete(target, item, None)):
                    return [{f"{rows.public}.{number}.{name}" for name in names} for names in broken]
        return []

    def overlapping(self, res: Res, row: Row) -> list[list[str]]:
        """The bounds of each span that overlaps another row's: of those that are there, in the same tenant."""
        found: list[list[str]] = []
        for keys, start, end in res.spans:
            same = [res.at(key) for key in keys] + ([res.at(res.tenant)] if res.tenant else [])
            if any(row[value.name] is None for value in same):
                continue
            for other in self.standing(res, EVERYONE):
                if other["id"] == row["id"] or any(
                    other[value.name] is None or value.told(other[value.name]) != value.told(row[value.name])
                    for value in same
                ):
                    continue
                if before(row[start], other[end]) and before(other[start], row[end]):
                    found.append([res.at(start).public, res.at(end).public])
                    break
        return found

    def set_links(self, rows: Rows, row: Row, keys: list[str], tenant: str | None, keep: bool = False) -> None:
        """Replaces the pairs of a row, or adds to them. Pairs with rows that are not there for the caller stay."""
        target = self.spec.by_name[rows.target]
        before = self.pairs.setdefault(str(rows.through), set())
        here, there = (0, 1) if rows.first else (1, 0)
        mine = {pair for pair in before if pair[here] == row["id"] and self.find(target, pair[there], tenant)}
        new = {(row["id"], key) if rows.first else (key, row["id"]) for key in keys}
        after = (before if keep else before - mine) | new
        self.pairs[str(rows.through)] = after
        self.written.linked(str(rows.through), (self.holder(rows), row["id"]))

    def holder(self, rows: Rows) -> str:
        """The resource that has a list."""
        return next(res.name for res in self.spec.main if any(own is rows for own in res.lists))

    def hidden_links(self, rows: Rows, row: Row, caller: Caller) -> list[str]:
        """The rows that one is linked with and that the caller cannot see: a change of its list keeps them."""
        target = self.spec.by_name[rows.target]
        here, there = (0, 1) if rows.first else (1, 0)
        keys = [pair[there] for pair in self.pairs.get(str(rows.through), set()) if pair[here] == row["id"]]
        found = {key: self.find(target, key, caller.tenant) for key in keys}
        return [key for key, other in found.items() if other and not self.seen(target, other, caller, caller.tenant)]

    def row_answer(self, res: Res, row: Row, caller: Caller, seen_before: bool) -> Answer:
        """The row for who could read it before, or can now; others are answered with its id."""
        if not (seen_before or self.seen(res, row, caller, caller.tenant, single=True)):
            return Answer(200, {"id": row["id"]}, {})
        return Answer(200, self.view(res, row, caller), {}, version=row[res.version] if res.version else None)

    def change(self, res: Res, operation: str, caller: Caller, key: str, body: Any, match: Any) -> Answer:
        """PUT and PATCH."""
        partial = operation == "update"
        self.enter(res, operation, caller)
        values = self.inputs(res, ("always",), body, partial, keeps=not partial)
        kept = self.withhold(res, ("always",), body, values, caller, not partial)
        if operation in res.match and match is None:
            raise Refused(428, "PRECONDITION_REQUIRED")
        if not partial:
            self.default_caller(res, values, caller, ("always",), kept)
        row = self.load(res, operation, key, caller, match)
        seen = self.seen(res, row, caller, caller.tenant, single=True)
        self.keep_items(res, values, row, caller)
        hidden = {rows.name: self.hidden_links(rows, row, caller) for rows in res.lists if rows.kind == "linked"}
        lists = {rows.name for rows in res.lists if rows.name in values}
        changed = {**row, **{name: kept for name, kept in values.items() if name not in lists}}
        for rows in res.owned:
            if rows.name in lists:
                changed[rows.name] = [
                    self.complete(self.spec.by_name[rows.target], item, None) for item in values[rows.name]
                ]
        self.compute(res, changed)
        self.check(res, changed, values, caller.tenant, caller, writing=set(values), before=row)
        row.update({name: kept for name, kept in values.items() if name not in lists})
        if values:
            self.touch(res, row)
        totals = any(value.computed and value.computed[0] in lists for value in res.fields)
        if set(values) - lists or totals or (lists and any(v.auto in ("updated", "version") for v in res.fields)):
            self.written.changed(res.name, row["id"])
        for rows in res.lists:
            if rows.name in lists and rows.kind == "owned":
                self.place_items(res, rows, row, values[rows.name])
            elif rows.name in lists:
                self.set_links(rows, row, [*values[rows.name], *hidden[rows.name]], caller.tenant)
        about = (res.name, row["id"])  # the policy may come back to the row itself; what is refused is undone
        if not self.holds(res.allow[operation], res, row, caller, caller.tenant, about=about):
            raise self.denied(caller)
        return self.row_answer(res, row, caller, seen)

    def touch(self, res: Res, row: Row, updated: bool = True) -> None:
        """Every change of a row counts its version, and moves the time of its last change."""
        for value in res.fields:
            if value.auto == "version":
                row[value.name] += 1
            elif value.auto == "updated" and updated:
                row[value.name] = self.now

    def transition(self, res: Res, operation: str, caller: Caller, key: str, match: Any) -> Answer:
        self.enter(res, operation, caller)
        if operation in res.match and match is None:
            raise Refused(428, "PRECONDITION_REQUIRED")
        row = self.load(res, operation, key, caller, match)
        seen = self.seen(res, row, caller, caller.tenant, single=True)
        sources, target = res.moves[operation]
        if row["state"] not in sources:
            raise Refused(409, "STATE_CONFLICT", ["state"])
        before = {"state": target, **{value.name: self.now for value in res.fields if value.auto == "updated"}}
        if broken := self.broken(res, before):  # the new values alone show it
            raise Refused(422, "CONSTRAINT_VIOLATED", set().union(*broken))
        row["state"] = target
        self.touch(res, row)
        if broken := self.broken(res, row):  # else the database does, one at a time
            raise Refused(422, "CONSTRAINT_VIOLATED", broken[0], broken[1:])
        if overlapping := self.overlapping(res, row):
            raise Refused(409, "OVERLAP", overlapping[0], overlapping[1:])
        self.written.changed(res.name, row["id"])
        return self.row_answer(res, row, caller, seen)

    # -- deleting and restoring

    def delete(self, res: Res, caller: Caller, key: str, match: Any) -> Answer:
        self.enter(res, "delete", caller)
        if "delete" in res.match and match is None:
            raise Refused(428, "PRECONDITION_REQUIRED")
        row = self.load(res, "delete", key, caller, match)
        self.remove(res, [row])
        return Answer(204, empty=True)

    def referring(self, keys: set[str]) -> list[tuple[Res, Value, Row, Row]]:
        """What refers to rows with these ids: the resource, the key, the row that holds it, and the row that it is part of."""
        found: list[tuple[Res, Value, Row, Row]] = []
        for res in self.spec.main:
            for row in self.tables[res.name].values():
                found += [(res, value, row, row) for value in res.refs if row[value.name] in keys]
                for rows in res.owned:
                    item_res = self.spec.by_name[rows.target]
                    for item in row[rows.name]:
                        found += [
                            (item_res, value, item, row)
                            for value in item_res.refs
                            if not value.back
                            if item[value.name] in keys
                        ]
        return found

    def remove(self, res: Res, rows: list[Row]) -> None:
        """Deletes rows with all that goes with them; 409 where another row holds on to one (keep-deleted-rows.md)."""
        self.written.removed(self.along(res))
        going: dict[str, tuple[Res, Row]] = {row["id"]: (res, row) for row in rows}
        really = set() if res.soft else set(going)
        """What is removed for good: rows that are not kept, and what goes with those, kept or not."""
        found = True
        while found:
            found = False
            for other, value, row, _ in self.referring(set(going)):
                gone = row[value.name] in really
                if value.on_delete != "cascade" or (row["deleted"] is not None and not gone):
                    continue
                if row["id"] not in going or (gone and row["id"] not in really):
                    found = True
                    going[row["id"]] = (other, row)
                    really |= {row["id"]} if gone or not other.soft else set()
        let_go: list[tuple[Res, Value, Row]] = []
        for other, value, row, whole_row in self.referring(set(going)):
            if whole_row["id"] in going and (whole_row["id"] in really or row[value.name] not in really):
                continue
            if value.on_delete == "restrict" and (row[value.name] in really or whole_row["deleted"] is None):
                raise Refused(409, "STILL_REFERENCED")
            if value.on_delete == "set_null":
                if whole_row["deleted"] is not None and row[value.name] not in really:
                    continue
                let_go.append((other, value, row))
        for other, value, row in let_go:
            row[value.name] = None
            self.touch(other, row)
        for other, row in going.values():
            if row["id"] in really:
                self.tables[other.name].pop(row["id"], None)
                for name, pairs in self.pairs.items():
                    self.pairs[name] = {pair for pair in pairs if row["id"] not in pair}
            else:
                row["deleted"] = self.now
                self.touch(
                    other, row, updated=False
                )  # whether a deletion moves `updated` is not documented: it does not

    def along(self, res: Res) -> set[str]:
        """The resources whose rows may go, come or be changed with one."""
        going, more = set[str](), {res.name}
        while more - going:
            going |= more
            more = {
                at.name for at in self.spec.resources for v in at.refs if v.to in going and v.on_delete == "cascade"
            }
            more |= {rows.target for name in going for rows in self.spec.by_name[name].owned}
        return going | {
            at.name for at in self.spec.resources for v in at.refs if v.to in going and v.on_delete == "set_null"
        }

    def restore(self, res: Res, caller: Caller, key: str) -> Answer:
        self.enter(res, "restore", caller)
        row = self.load(res, "restore", key, caller, deleted=True)
        seen = self.seen(res, row, caller, caller.tenant, single=True)
        if row["deleted"] is None:
            raise Refused(409, "STATE_CONFLICT")
        self.bring_back(res, row)
        return self.row_answer(res, row, caller, seen)

    def bring_back(self, res: Res, row: Row) -> None:
        """What was deleted along with a row comes back with it."""
        at = row["deleted"]
        self.written.restored(self.along(res))
        back: list[tuple[Res, Row]] = [(res, row)]
        for other_res, other in back:
            if other_res.soft:
                for found_res, value, found, _ in self.referring({other["id"]}):
                    if (
                        value.on_delete == "cascade"
                        and found["deleted"] == at
                        and all(found is not kept for _, kept in back)
                    ):
                        back.append((found_res, found))
        for other_res, other in back:
            for value in other_res.refs:
                held = other[value.name]
                if held is None:
                    continue
                if any(held == kept["id"] for _, kept in back):
                    continue
                if self.find(self.target(value), held, EVERYONE) is None:
                    raise Refused(422, "REFERENCE_NOT_FOUND", [value.public])
        for _, other in back:
            other["deleted"] = None
        for other_res, other in back:
            taken, overlapping = self.taken(other_res, other), self.overlapping(other_res, other)
            if taken and overlapping:
                raise Refused(0, "DUPLICATE or OVERLAP")
            if overlapping:
                raise Refused(409, "OVERLAP", overlapping[0], overlapping[1:])
            if taken:
                raise Refused(409, "DUPLICATE", taken[0], taken[1:])
            self.touch(other_res, other, updated=False)


NO_DEFAULT = Value("", "").default
ANYBODY = Caller("anybody")


def _kept(found: Any) -> bool:
    """Whether a claim is not too long."""
    return not isinstance(found, str) or len(found) <= 255


def _own_lists(policy: Policy) -> Iterable[Policy]:
    """The lists that a policy looks into, but for those within others."""
    if policy[0] == "list":
        return [policy]
    return [found for part in parts(policy) for found in _own_lists(part)]


def named_in(condition: Policy) -> set[str]:
    """The fields that a check looks at."""
    if condition[0] == "cmp":
        constant = condition[4]
        return {condition[2], *([constant[1]] if isinstance(constant, tuple) and constant[:1] == ("at",) else [])}
    return set().union(*map(named_in, parts(condition)))


def before(start: Any, end: Any) -> bool:
    """Whether a span begins before another one ends; null is an open bound."""
    return start is None or end is None or start < end


def in_order(rows: list[Row], sort: list[tuple[str, bool]]) -> list[Row]:
    """Rows in an order, and then by id in the direction of its last part; nulls are greater than all values."""
    keys: list[tuple[Callable[[Row], Any], bool, bool]] = [
        (lambda row, name=name: row[name], descending, descending) for name, descending in sort
    ]
    last = sort[-1][1] if sort else False
    return ordered(rows, [*keys, (lambda row: row["id"], last, False)])


def whole(text: str, most: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise Wrong
    return int(text)
