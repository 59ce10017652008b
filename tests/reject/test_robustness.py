"""Whatever an author writes into a contract: it compiles, or it is refused with diagnostics. Nothing else ever comes out."""

from __future__ import annotations

import types
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sternpost import (
    Browse,
    Contract,
    Create,
    Custom,
    Email,
    Json,
    Many,
    One,
    Operation,
    Owned,
    Payload,
    Read,
    Resource,
    Transition,
    authenticated,
    caller,
    computed,
    field,
    many,
    one,
    public,
    scope,
    sum_of,
    this,
)
from sternpost.compile.compiler import compile_contract
from sternpost.compile.diagnostics import ContractError
from tests.support.rounds import drawing, rounds


def compiles_or_is_refused(contract: Contract, services: Any = ()) -> bool:
    """A plan that can be written down, or mistakes with fixes; anything else is raised, and fails the test."""
    try:
        plan = compile_contract(contract, services).plan
    except ContractError as error:
        return bool(error.diagnostics) and all(
            diagnostic.fix and diagnostic.message for diagnostic in error.diagnostics
        )
    return bool(orjson.dumps(plan.as_data()) and plan.fingerprint)


class Given(Payload):
    text: str


def some_function() -> None:
    """Stands where a value belongs."""


TEXTS = (
    "",
    "name",
    "total",
    "user",
    "user_id",
    "items",
    "draft",
    "paid",
    "eq",
    "usr",
    "users:read",
    "always",
    "^a+$",
    "(",
    "ü",
    "a\0b",
    "\ud800",
    "id",
)
NUMBERS = (
    0,
    1,
    -1,
    3,
    2**63,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    Decimal("1.5"),
    Decimal("NaN"),
    Decimal("1E+30"),
    True,
    False,
)
TIMES = (date(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), uuid.UUID(int=1))
POLICIES = (
    public,
    authenticated,
    scope("a:b"),
    this.is_owner,
    this.user.is_owner,
    this.name.eq("a"),
    this.total.gt(1),
    public & authenticated,
    ~public,
    this.eq(1),
)
OTHERS = (
    None,
    b"bytes",
    int,
    Given,
    some_function,
    caller,
    this,
    this.name,
    ...,
    {1, 2},
    {"a": 1},
    {1: {2}},
    field(),
    one(),
    Browse(allow=public),
)

atoms = st.one_of(*(st.sampled_from(values) for values in (TEXTS, NUMBERS, TIMES, POLICIES, OTHERS)))
values = st.one_of(atoms, st.lists(atoms, max_size=3), st.lists(atoms, max_size=2).map(tuple))
lists = st.one_of(values, st.lists(st.sampled_from(TEXTS), max_size=3))

TYPES: tuple[Any, ...] = (
    str,
    int,
    float,
    bool,
    Decimal,
    datetime,
    date,
    uuid.UUID,
    Email,
    Json,
    Literal["draft", "paid"],
    str | None,
    bytes,
    list[str],
    None,
    5,
    "str",
    "(",
    "Missing",
    One["Thing"],
    One["Other"],
    One["Other"] | None,
    Many["Other"],
    Many["Thing"],
    Owned["Other"],
    Owned["Thing"],
    One["Nothing"],
    One[int],
    Many["Other"] | None,
)
NAMES = (
    "name",
    "total",
    "user",
    "items",
    "status",
    "meta",
    "firstName",
    "_hidden",
    "line_1",
    "line1",
    "names",
    "size_id",
    "size",
)


def calls(function: Any, *options: str, **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Calls of a declaration function with any values for any of its options."""
    optional = dict.fromkeys(options, values)
    return st.fixed_dictionaries(dict(fixed), optional=optional).map(lambda chosen: function(**chosen))


attributes = st.one_of(
    st.none(),
    atoms,
    calls(
        field,
        "default",
        "unique",
        "min_length",
        "max_length",
        "pattern",
        "ge",
        "le",
        "decimal_places",
        "max_digits",
        "write",
        "read",
        "sensitive",
        "filter",
        "auto",
        "description",
    ),
    calls(one, "on_delete", "default", "write", "read", "filter", "unique", "description"),
    calls(many, "by", "through", "min_length", "max_length", "write", "route", "description"),
    st.tuples(values, values, values).map(lambda chosen: computed(sum_of(*chosen))),
    values.map(computed),
)
operations = st.one_of(
    calls(Browse, "page_size", "max_page_size", "sort", "default_sort", "timeout", "summary", "allow"),
    calls(Read, "allow", "timeout"),
    calls(Create, "allow", "summary"),
    calls(Operation, "allow"),
    calls(Transition, "allow", field=values, source=lists, target=values),
    calls(Custom, "method", "on", "input", "output", "allow"),
)
keywords = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("prefix", "owner", "plural", "table", "unique", "abstract", "colour"), lists)
)


@st.composite
def resources(draw: st.DrawFn, name: str, prefix: str) -> type[Resource]:
    """A resource that is mostly wrong."""
    annotations = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TYPES), max_size=5))
    body: dict[str, Any] = {
        field_name: declared for field_name in annotations if (declared := draw(attributes)) is not None
    }
    body |= draw(
        st.dictionaries(st.sampled_from(("browse", "read", "create", "pay", "doIt", "items")), operations, max_size=4)
    )
    chosen = {"prefix": prefix, **draw(keywords)}
    return types.new_class(
        name,
        (Resource,),
        chosen,
        lambda namespace: namespace.update({"__annotations__": annotations, "__module__": __name__, **body}),
    )


@rounds(60, 1500)
def test_a_contract_compiles_or_is_refused(rounds: int) -> None:
    @drawing(rounds)
    @given(
        first=resources("Thing", "thi"),
        second=resources("Other", "oth"),
        third=st.one_of(st.none(), values),
        options=st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("name", "title", "description", "version", "api_version", "resources"), values)
        ),
        services=st.one_of(st.just([]), st.just([some_function]), values),
    )
    def check(
        first: type[Resource], second: type[Resource], third: Any, options: dict[str, Any], services: Any
    ) -> None:
        contract = Contract(
            **{"name": "fuzz", "resources": [first, second, *([third] if third is not None else [])], **options}
        )
        assert compiles_or_is_refused(contract, services)

    check()


SOUND_ANNOTATIONS = st.sampled_from(
    (str, int, float, bool, Decimal, datetime, date, uuid.UUID, Email, Json, Literal["draft", "paid"], str | None)
)


@rounds(60, 3000)
def test_one_field_and_one_policy_compile_or_are_refused(rounds: int) -> None:
    @drawing(rounds)
    @given(
        annotation=SOUND_ANNOTATIONS,
        declared=calls(
            field,
            "default",
            "unique",
            "min_length",
            "max_length",
            "pattern",
            "ge",
            "le",
            "decimal_places",
            "max_digits",
            "write",
            "read",
            "sensitive",
            "filter",
            "auto",
            "description",
        ),
        policy=st.recursive(
            st.builds(
                lambda name, operator, value: getattr(getattr(this, name), operator)(value),
                st.sampled_from(("value", "id", "user", "eq_")),
                st.sampled_from(("eq", "ne", "gt", "lte")),
                values,
            ),
            lambda parts: st.one_of(
                st.tuples(parts, parts).map(lambda pair: pair[0] & pair[1]),
                st.tuples(parts, values).map(lambda pair: pair[0] | pair[1]),
                parts.map(lambda part: ~part),
            ),
            max_leaves=4,
        ),
    )
    def check(annotation: Any, declared: Any, policy: Any) -> None:
        namespace = {
            "__annotations__": {"value": annotation},
            "__module__": __name__,
            "value": declared,
            "read": Read(allow=policy),
        }
        thing = types.new_class("Thing", (Resource,), {"prefix": "thi"}, lambda body: body.update(namespace))
        assert compiles_or_is_refused(Contract("fuzz", resources=[thing]))

    check()
