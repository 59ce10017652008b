"""The one language in which rows are asked for and changed: REST lists, the data client, exports and policies all speak
it.

A query is frozen and hashable, so that its SQL is built once. Values travel apart from it, in a tuple: where a query
needs one it names a *slot*, the value's place in that tuple.

A comparison with null does not hold, whatever the operator; only `isNull` finds null. `Not` is the exact complement of
its part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sternpost.plan.caller import OfCaller

Operator = Literal[
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "in",
    "notIn",
    "contains",
    "startsWith",
    "endsWith",
    "isNull",
    "isNotNull",
    "has",
    "hasAny",
    "hasAll",
]
EQUALITY: frozenset[str] = frozenset({"eq", "ne", "in", "notIn"})
"""Operators that ask whether values are equal; a field may ignore case for these."""
Quantifier = Literal["some", "every", "none"]
Arithmetic = Literal["set", "increment", "decrement", "multiply", "divide"]
Function = Literal["sum", "min", "max", "avg", "count", "by"]
ListFunction = Literal["count", "exists", "latest"]

Path = tuple[str, ...]
"""Field names to follow from a row: foreign keys first. Behind a field that holds an object, those of its members."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The caller's own id, the `sub` of the token."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """The tenant that the caller acts for."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that the contract's author wrote, in the plan's JSON-ready form; a tuple of such for `in`."""

    value: Any


@dataclass(frozen=True, slots=True)
class ValueAt:
    """Another value of the same row, or of one that it refers to."""

    path: Path


@dataclass(frozen=True, slots=True)
class Outside:
    """A value of the row outside, for the rows of a list that a policy looks into."""

    path: Path


@dataclass(frozen=True, slots=True)
class Now:
    """The instant of the call."""


SUBJECT = Subject()
NOW = Now()
TENANT = Tenant()

Operand = int | Subject | Tenant | Constant | ValueAt | Outside | Now | OfCaller | None
"""What a value is compared with: a slot's number, the caller, the tenant, a constant, another value of the row or of
the row outside, the instant of the call, a value of the caller; nothing for `isNull`."""


@dataclass(frozen=True, slots=True)
class Compare:
    """The value at a path compared with an operand.

    Attributes:
        insensitive: upper and lower case of ASCII letters are the same.
    """

    path: Path
    operator: Operator
    operand: Operand = None
    insensitive: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; true without any."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds; false without any."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Node


@dataclass(frozen=True, slots=True)
class Related:
    """Some, every or none of the rows of a relation fit."""

    relation: str
    quantifier: Quantifier
    where: Node


@dataclass(frozen=True, slots=True)
class Under:
    """The row belongs to a relation of one row of another resource, whose id is in a slot: such as the orders of one
    user."""

    resource: str
    relation: str
    slot: int


@dataclass(frozen=True, slots=True)
class OwnedBy:
    """The row that owns this item fits."""

    where: Node


@dataclass(frozen=True, slots=True)
class Through:
    """Some row of a list fits, or none does, as policies ask it: the list of the row, or of one that it refers to.

    Attributes:
        path: the references to follow to the row that has the list.
        none: whether no row is to fit. That is no complement: where it is not known what the list was before the call,
            neither holds.
    """

    path: Path
    relation: str
    where: Node
    none: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """The row is found by a search: every word is the beginning of some word in one of the fields (`plan/words.py`).

    Attributes:
        fields: of those that the list of the resource is searched in.
        words: how many there are.
        slot: of the words, as `searched_words` gives them.
    """

    fields: tuple[str, ...]
    words: int
    slot: int


Node = Compare | Every | Either | Not | Related | Under | OwnedBy | Through | Matches

Fact = Path | Through
"""What a policy has to know of a row: a value, or whether some row of a list fits."""

ALL = Every()
NONE = Either()


def every(parts: Iterable[Node]) -> Node:
    """All of the parts together, without needless nesting."""
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, Every) else (part,)
    return flat[0] if len(flat) == 1 else Every(tuple(flat)) if flat else ALL


def facts_of(node: Node) -> frozenset[Fact]:
    """What a condition of a policy has to know of a row to be decided without the database."""
    match node:
        case Compare(path, _, ValueAt(other)):
            return frozenset((path, other))
        case Compare(path):
            return frozenset((path,))
        case Through():
            return frozenset((node,))
        case Every(parts) | Either(parts):
            return frozenset[Fact]().union(*map(facts_of, parts))
        case Not(part):
            return facts_of(part)
        case _:
            return frozenset[Fact]()


def lists_in(node: Node) -> frozenset[Through]:
    """The lists that a condition of a policy looks into, from the row itself."""
    return frozenset(fact for fact in facts_of(node) if isinstance(fact, Through))


def in_order(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Facts in an order that does not depend on the process: values first."""
    values, lists = list[Path](), list[Through]()
    for fact in facts:
        if isinstance(fact, Through):
            lists.append(fact)
        else:
            values.append(fact)
    return (*sorted(values), *sorted(lists, key=repr))


def begins_at(fact: Fact) -> Path:
    """The values of the row that a fact is found by: empty for a list of the row itself."""
    return fact.path if isinstance(fact, Through) else fact


def key_is(slot: int) -> Compare:
    """The row whose id is in a slot."""
    return Compare(("id",), "eq", slot)


def names_one_row(where: Node) -> bool:
    """Whether a condition fits one row at most, because it names its id."""
    parts = where.parts if isinstance(where, Every) else (where,)
    return any(isinstance(part, Compare) and (part.path, part.operator) == (("id",), "eq") for part in parts)


RANK: Path = ("search.rank",)
"""The path of how well rows fit a search; no field has such a name."""


@dataclass(frozen=True, slots=True)
class Order:
    """A value to sort by. Where nothing else is said, nulls count as greater than every value.

    Attributes:
        search: for the path `RANK`: the search. The value is a whole number, the lower the better: the sum over the
            words of 0 where the first field has the word, 1 where it has one that begins so, 2 where another field has
            the word, and 3. So it is a matter of the row alone, and tells nothing of rows that a caller may not see.
    """

    path: Path
    descending: bool = False
    nulls_first: bool = False
    search: Matches | None = None


def by_rank(search: Matches) -> Order:
    """The order of how well rows fit a search, the best first."""
    return Order(RANK, search=search)


def ordered(name: str, descending: bool) -> Order:
    """The order of one field, with nulls as the greatest."""
    return Order((name,), descending, descending)


def total_order(order: tuple[Order, ...]) -> tuple[Order, ...]:
    """An order in which no two rows are equal: the id decides last, in the direction of what is before it.

    So an order in one direction is one range of an index that ends in the id, read forwards or backwards.
    """
    if any(entry.path == ("id",) for entry in order):
        return order
    return (*order, Order(("id",), bool(order) and order[-1].descending))


def key_place(order: tuple[Order, ...]) -> int:
    """Which entry of a total order is the id."""
    return next(index for index, entry in enumerate(order) if entry.path == ("id",))


@dataclass(frozen=True, slots=True)
class Nested:
    """A relation to read along with its rows' own query: one statement for the rows of all parents.

    Attributes:
        query: `limit` and `offset` in it are per parent.
        most: rows that a parent gets where the query has no limit. One more is read, so that an answer can tell that it
            holds only a part; without it nothing is told.
    """

    relation: str
    query: Select
    most: int | None = None


@dataclass(frozen=True, slots=True)
class OfList:
    """What is told of those rows of a list that fit: how many there are, whether there is one, or the value of a field
    in the last of them.

    Attributes:
        name: of the computed field that it is.
        field, by: for the last row, the value, and the field by whose greatest value it is found.
    """

    name: str
    function: ListFunction
    relation: str
    where: Node = ALL
    field: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Select:
    """Rows of a resource.

    Attributes:
        fields: what of each row is read.
        computed: what of its lists is told along with it.
        in_python: computed fields that an author's functions make of the rows; storage does not look at them.
        aside: those of `fields` that are read for these alone, and are no part of the answer.
        facts: values that a policy has to know, beside the fields.
        distinct: of the rows that agree in these fields, the first.
        after: only rows behind a position of the order: for each of its values whether it is null. The position itself
            travels in `Arguments`.
        limit, offset: slots.
        lock: the rows stay unchanged until the transaction ends.
    """

    resource: str
    fields: tuple[str, ...]
    where: Node = ALL
    relations: tuple[Nested, ...] = ()
    order: tuple[Order, ...] = ()
    facts: tuple[Fact, ...] = ()
    distinct: tuple[str, ...] = ()
    after: tuple[bool, ...] | None = None
    limit: int | None = None
    offset: int | None = None
    lock: bool = False
    computed: tuple[OfList, ...] = ()
    in_python: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False, default=0)
    calls: bool = field(init=False, repr=False, compare=False, default=False)
    """Whether functions compute a part of it, here or in what it reads along."""

    def __post_init__(self) -> None:
        parts = (self.resource, self.fields, self.where, self.relations, self.order, self.facts)
        more = (self.distinct, self.after, self.limit, self.offset, self.lock)
        extra = (self.computed, self.in_python, self.aside)
        object.__setattr__(
            self, "_hash", hash((parts, more, extra) if self.computed or self.in_python else (parts, more))
        )
        calls = bool(self.in_python) or any(nested.query.calls for nested in self.relations)
        object.__setattr__(self, "calls", calls)

    def __hash__(self) -> int:
        """Statements are found by queries at each request, and queries are deep: the hash is computed once."""
        return self._hash

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that rows have when they come from storage, in the order of their columns."""
        return (*self.fields, *[each.name for each in self.computed]) if self.computed else self.fields

    @property
    def shown(self) -> tuple[str, ...]:
        """The fields that an answer has."""
        return (*[name for name in self.names if name not in self.aside], *self.in_python)

    @property
    def computes(self) -> bool:
        """Whether a part of it is no stored value, here or in what it reads along."""
        return bool(self.computed) or self.calls or any(nested.query.computes for nested in self.relations)

    def behind(self, position: tuple[Any, ...]) -> Select:
        """The same rows from behind a position on."""
        return replace(self, after=tuple(value is None for value in position))


@dataclass(frozen=True, slots=True)
class Measure:
    """A value over a group of rows; `count` has no field, `by` is a field that the group agrees in."""

    function: Function
    field: str = ""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Values over groups of rows. `having` compares measures with slots; `order` sorts by measures."""

    resource: str
    measures: tuple[Measure, ...]
    where: Node = ALL
    by: tuple[str, ...] = ()
    having: tuple[tuple[Measure, Operator, int], ...] = ()
    order: tuple[tuple[Measure, bool], ...] = ()
    limit: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a change does to a field: sets it to a slot's value, or computes it from what it is."""

    field: str
    arithmetic: Arithmetic
    slot: int


@dataclass(frozen=True, slots=True)
class Modify:
    """A change of all rows that fit.

    Attributes:
        returning: fields to give back of each row; without any only their number is known.
    """

    resource: str
    where: Node
    assignments: tuple[Assignment, ...]
    returning: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """The removal of all rows that fit."""

    resource: str
    where: Node


@dataclass(frozen=True, slots=True)
class Upsert:
    """A new row with these fields, or the change of the one that has the same values in the fields of `key`."""

    resource: str
    names: tuple[str, ...]
    key: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    returning: tuple[str, ...]
