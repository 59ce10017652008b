"""Random contracts: as data that the model reads, and as the Python text that the framework is given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "NOTHING"})()
"""No default."""

Policy = tuple[Any, ...]
"""("public",), ("authenticated",), ("scope", name), ("owner", refs), ("cmp", refs, field, operator, constant),
where the constant may be several (`in`), nothing (`isNull`), ("at", field) of the same row, or ("outer", refs, field) of the row
outside of a list; ("list", "any" | "none", refs, list, policy on its rows); ("mine", refs, field, operator, source) compares with
a value of the caller, ("caller", source, operator, constant) asks of one, where a source is the name of a claim, or `TENANT`;
("and" | "or", one, other), ("not", one). A field that is a reference has the name of its relation."""

PUBLIC: Policy = ("public",)
TENANT = "caller.tenant"
"""The source that is no claim."""

LISTS_MAX = 10
"""Lists that a policy may look into (ask-lists-and-claims.md)."""

SEE, DO, ALL = "see:more", "do:more", "do:all"
SCOPES = (SEE, DO, ALL)
STATES = ("open", "held", "done")
CHOICES = ("red", "green", "blue")
TYPES = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "decimal": "Decimal",
    "date": "date",
    "datetime": "datetime",
    "uuid": "UUID",
    "json": "Json",
    "strs": "list[str]",
    "ints": "list[int]",
    "map": "dict[str, int]",
    "spot": "Spot",
    "way": "Sail | Motor",
}
LISTS = ("strs", "ints")
NESTED = (*LISTS, "map", "spot", "way")
"""Kinds that are kept as JSON, like `json`; whose values have parts (nest-values.md)."""

OPERATORS = {
    "id": ("eq", "ne", "in"),
    "str": ("eq", "ne", "in", "contains", "startsWith", "iEq", "iContains", "iStartsWith"),
    "int": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "float": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "decimal": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "date": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "datetime": ("eq", "ne", "gt", "gte", "lt", "lte", "in"),
    "bool": ("eq", "ne"),
    "uuid": ("eq", "ne", "in"),
    "enum": ("eq", "ne", "in"),
    "json": (),
    "strs": ("has", "hasAny", "hasAll"),
    "ints": ("has", "hasAny", "hasAll"),
    "map": (),
    "spot": (),
    "way": (),
}
"""docs/reference/filters.md: the operators by kind."""


LOWER = {ord(letter): ord(letter.lower()) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def public_name(name: str) -> str:
    """`unit_price` is `unitPrice` in JSON."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@dataclass
class Value:
    """A field, or the key of a reference (`to` and `relation` are then set)."""

    name: str
    kind: str
    nullable: bool = False
    default: Any = NOTHING
    unique: bool = False
    nocase: bool = False
    """Values that differ in the case of ASCII letters alone are the same."""
    filters: tuple[str, ...] = ()
    write: str = "always"
    read: str | None = None
    auto: str | None = None
    choices: tuple[str, ...] = ()
    low: int | None = None
    high: int | None = None
    places: int = 2
    max_length: int | None = None
    max_items: int | None = None
    computed: tuple[str, ...] = ()  # the owned list, then the factors
    relation: str | None = None
    to: str | None = None
    on_delete: str = "restrict"
    caller: bool = False
    back: bool = False
    """Of a part: leads to the row that it is part of, and is shown nowhere."""

    @property
    def public(self) -> str:
        return public_name(self.name)

    def told(self, kept: Any) -> Any:
        """What a value, or each of a list, is told apart from others by."""
        if isinstance(kept, list):
            return [self.told(item) for item in kept]
        return kept.translate(LOWER) if self.nocase and isinstance(kept, str) else kept

    @property
    def operators(self) -> tuple[str, ...]:
        """`filter=True` allows `isNull` of a nullable field as well; a list allows what it names."""
        return (
            (*self.filters, "isNull") if self.nullable and self.filters == OPERATORS[self.kind] != () else self.filters
        )

    @property
    def required(self) -> bool:
        return self.default is NOTHING and not self.nullable and not self.auto and not self.computed and not self.caller

    def text(self) -> str:
        """The line of the class."""
        options: list[str] = []
        if self.to is not None:
            if self.on_delete != "restrict":
                options.append(f'on_delete="{self.on_delete}"')
            if self.caller:
                options.append("default=caller")
            annotation, call = f"One[{self.to}]", "one"
        elif self.computed:
            annotation, call = TYPES[self.kind], "computed"
            options.append(f"sum_of({', '.join(map(repr, self.computed))})")
        else:
            annotation, call = TYPES.get(self.kind, f"Literal[{', '.join(map(repr, self.choices))}]"), "field"
            if self.default is not NOTHING:
                options.append(f"default={self.default!r}")
            if self.kind == "decimal":
                options.append(f"decimal_places={self.places}")
                options.append("max_digits=9")
            options += [f"ge={self.low}"] if self.low is not None else []
            options += [f"le={self.high}"] if self.high is not None else []
            options += [f"max_length={self.max_length}"] if self.max_length else []
            options += [f"max_items={self.max_items}"] if self.max_items else []
        options += [f"unique={'nocase' if self.nocase else True!r}"] if self.unique else []
        if self.filters:
            options.append(f"filter={True if self.filters == OPERATORS[self.kind] else list(self.filters)}")
        options += [f'write="{self.write}"'] if self.write != "always" and not self.auto and not self.computed else []
        options += [f'read="{self.read}"'] if self.read else []
        options += [f'auto="{self.auto}"'] if self.auto else []
        annotation += " | None" if self.nullable and self.kind != "json" else ""
        given = f" = {call}({', '.join(options)})" if options else " = None" if self.kind == "json" else ""
        return f"    {self.relation or self.name}: {annotation}{given}"


@dataclass
class Rows:
    """A list of rows: `many` that point back by `by`, `owned` parts, or `linked` by pairs of ids."""

    name: str
    kind: str
    target: str
    by: str | None = None  # the key field of the other side
    through: str | None = None
    first: bool = True  # which half of a pair this side is
    max_length: int | None = None
    write: str = "always"

    @property
    def public(self) -> str:
        return public_name(self.name)

    @property
    def input(self) -> str:
        return self.public if self.kind == "owned" else f"{self.name.removesuffix('s')}Ids"

    @property
    def most(self) -> int:
        return self.max_length or (100 if self.kind == "owned" else 1000)

    def text(self) -> str:
        options = [f'by="{self.by.removesuffix("_id")}"'] if self.kind == "many" and self.by else []
        options += [f'through="{self.through}"'] if self.through else []
        options += [f"max_length={self.max_length}"] if self.max_length else []
        options += [f'write="{self.write}"'] if self.write != "always" else []
        marker = "Owned" if self.kind == "owned" else "Many"
        return f"    {self.name}: {marker}[{self.target}]" + (f" = many({', '.join(options)})" if options else "")


@dataclass
class Res:
    """A resource."""

    name: str
    fields: list[Value] = field(default_factory=list)
    lists: list[Rows] = field(default_factory=list)
    owner: str | None = None
    tenant: str | None = None
    soft: bool = False
    owned_by: str | None = None
    together: list[tuple[str, ...]] = field(default_factory=list)
    checks: list[tuple[str | None, Policy]] = field(default_factory=list)  # names, and conditions on the row alone
    spans: list[tuple[tuple[str, ...], str, str]] = field(default_factory=list)  # what has no overlap: keys, start, end
    far: list[tuple[str, str]] = field(default_factory=list)  # filters of its list: a relation, and a field behind it
    or_groups: int = 0
    allow: dict[str, Policy] = field(default_factory=dict)  # by operation; transitions by their name
    moves: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    match: set[str] = field(default_factory=set)
    sort: list[str] = field(default_factory=list)
    default_sort: list[str] = field(default_factory=list)
    page_size: int = 20
    max_page_size: int = 100

    @property
    def search(self) -> list[str]:
        """The fields that the list is searched in: texts that everyone may read who sees the row."""
        texts = (value for value in self.fields if value.kind == "str" and not value.read and not value.back)
        return [value.name for value in texts if not value.auto and value.name != self.tenant][:8]

    @property
    def plural(self) -> str:
        return self.name.lower() + "s"

    @property
    def prefix(self) -> str:
        return self.name[:3].lower()

    def value(self, name: str) -> Value | None:
        return next((v for v in self.fields if v.name == name), None)

    def at(self, name: str) -> Value:
        found = self.value(name) or next((v for v in self.fields if v.relation == name), None)
        assert found is not None, f"{self.name} has no {name}"
        return found

    def rows(self, name: str) -> Rows:
        return next(rows for rows in self.lists if rows.name == name)

    @property
    def refs(self) -> list[Value]:
        return [value for value in self.fields if value.to is not None]

    @property
    def owned(self) -> list[Rows]:
        return [rows for rows in self.lists if rows.kind == "owned"]

    @property
    def version(self) -> str | None:
        return next((value.name for value in self.fields if value.auto == "version"), None)

    @property
    def reading(self) -> Policy | None:
        """Which rows exist for a caller (write-a-policy.md)."""
        return self.allow.get("read") or self.allow.get("browse")

    def text(self) -> str:
        words = [f'prefix="{self.prefix}"']
        words += [f'owner="{self.owner}"'] if self.owner else []
        words += [f'tenant="{self.tenant}"'] if self.tenant else []
        words += ["soft_delete=True"] if self.soft else []
        words += [f"unique={self.together}"] if self.together else []
        words += [f"checks=[{', '.join(check_text(*check) for check in self.checks)}]"] if self.checks else []
        spans = [
            f"no_overlap({', '.join(map(repr, (*(self.at(key).relation or key for key in keys), *bounds)))})"
            for keys, *bounds in self.spans
        ]
        words += [f"no_overlap=[{', '.join(spans)}]"] if spans else []
        lines = [f"class {self.name}(Resource, {', '.join(words)}):", f'    """A {self.name.lower()}."""', ""]
        lines += [value.text() for value in self.fields if value.name != "id"]
        lines += [rows.text() for rows in self.lists]
        for name, policy in self.allow.items():
            options = [f"allow={policy_text(policy)}"]
            if name in self.moves:
                sources, target = self.moves[name]
                options = [f'"state", source={list(sources)}, target="{target}"', *options]
            if name in self.match:
                options.append("require_match=True")
            if name == "browse":
                options += [f"sort={self.sort}"] if self.sort else []
                options += [f"default_sort={self.default_sort}"] if self.default_sort else []
                options += [f"filter={['.'.join(path) for path in self.far]}"] if self.far else []
                options += [f"or_groups={self.or_groups}"] if self.or_groups else []
                options += [f"search={self.search}"] if self.search else []
                options.append(f"page_size={self.page_size}, max_page_size={self.max_page_size}")
            kind = "Transition" if name in self.moves else name.capitalize()
            lines.append(f"    {name} = {kind}({', '.join(options)})")
        if self.name == "Sailor":  # carries calls of the data client out in a service
            lines.append('    work = Custom(on="collection", output=None, allow=public)')
        return "\n".join(lines)


@dataclass
class Spec:
    """A contract."""

    resources: list[Res]
    tenants: str | None = None  # "text" or "reference"

    def __post_init__(self) -> None:
        self.by_name = {res.name: res for res in self.resources}

    @property
    def main(self) -> list[Res]:
        """Those that have rows of their own."""
        return [res for res in self.resources if res.owned_by is None]

    def text(self) -> str:
        body = "\n\n\n".join(res.text() for res in self.resources)
        names = ", ".join(res.name for res in self.resources)
        return f'{HEAD}\n{body}\n\n\ncontract = Contract("net", resources=[{names}])\n'

    def services(self, module: dict[str, Any]) -> list[Any]:
        """Functions of the contract's own operations, but for the one that works with the data client."""
        return []

    def compile(self) -> dict[str, Any]:
        """The module that the text is: `contract`, and each class by its name."""
        module = type(sys)("contract_of_the_net")
        sys.modules[module.__name__] = module  # where the framework looks for the names in annotations
        exec(compile(self.text(), "contract_of_the_net.py", "exec"), vars(module))
        return vars(module)


HEAD = """from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sternpost import (
    Browse, Contract, Create, Custom, Delete, Json, Many, One, Owned, Payload, Read, Replace, Resource, Restore, Transition,
    Update, authenticated, caller, check, claim, computed, field, many, no_overlap, one, outer, public, scope, sum_of, this,
)


class Spot(Payload):
    label: str = field(max_length=5)
    depth: int = field(default=1, ge=-5, le=9)


class Sail(Payload):
    kind: Literal["sail"] = field(default="sail")
    area: int


class Motor(Payload):
    kind: Literal["motor"] = field(default="motor")
    fuel: str = field(max_length=4)
    tanks: list[int] = field(default=[], max_items=2)


"""


def policy_text(policy: Policy) -> str:
    match policy:
        case ("public",) | ("authenticated",):
            return policy[0]
        case ("scope", name):
            return f'scope("{name}")'
        case ("owner", refs):
            return ".".join(["this", *refs, "is_owner"])
        case ("cmp", refs, name, "isNull", _):
            return ".".join(["this", *refs, name, "is_null"])
        case ("cmp", refs, name, "in", constants):
            return ".".join(["this", *refs, name, f"in_({', '.join(map(repr, constants))})"])
        case ("list", word, refs, name, inner):
            return ".".join(["this", *refs, name, f"{word}({policy_text(inner)})"])
        case ("mine", refs, name, operator, source):
            return ".".join(["this", *refs, name, f"{'in_' if operator == 'in' else operator}({source_text(source)})"])
        case ("caller", source, "in", constants):
            return f"{source_text(source)}.in_({', '.join(map(repr, constants))})"
        case ("caller", source, operator, constant):
            return f"{source_text(source)}.{operator}({constant!r})"
        case ("cmp", refs, name, operator, ("outer", others, other)):
            return ".".join(["this", *refs, name, f"{operator}({'.'.join(('outer', *others, other))})"])
        case ("cmp", refs, name, operator, ("at", other)):
            return ".".join(["this", *refs, name, f"{operator}({'.'.join(('this', *refs, other))})"])
        case ("cmp", refs, name, operator, constant):
            return ".".join(["this", *refs, name, f"{operator}({constant!r})"])
        case ("not", part):
            return f"~({policy_text(part)})"
        case (word, left, right):
            return f"({policy_text(left)} {'&' if word == 'and' else '|'} {policy_text(right)})"
    raise AssertionError(policy)


def source_text(source: str) -> str:
    return source if source == TENANT else f'claim("{source}")'


_SYMBOLS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def check_text(name: str | None, condition: Policy) -> str:
    """A check as it is declared: with a name and a text or without, by Python's operators or by methods."""
    text = _condition_text(condition, name is None)
    return text if name is None else f'check({text}, name="{name}", message="It breaks {name}")'


def _condition_text(condition: Policy, operators: bool) -> str:
    match condition:
        case ("cmp", _, name, operator, ("at", other)) if operators:
            return f"(this.{name} {_SYMBOLS[operator]} this.{other})"
        case ("cmp", _, name, operator, constant) if operators and operator in _SYMBOLS:
            return f"(this.{name} {_SYMBOLS[operator]} {constant!r})"
        case ("not", part):
            return f"~{_condition_text(part, operators)}"
        case ("and" | "or" as word, left, right):
            between = " & " if word == "and" else " | "
            return f"({between.join(_condition_text(part, operators) for part in (left, right))})"
        case _:
            return policy_text(condition)


def parts(policy: Policy) -> tuple[Policy, ...]:
    """The policies that one is made of, those on the rows of a list among them."""
    match policy:
        case ("not", part) | ("list", _, _, _, part):
            return (part,)
        case ("and" | "or", left, right):
            return left, right
        case _:
            return ()


def within(policy: Policy) -> Iterator[Policy]:
    """A policy and all that it is made of, but for what is within lists."""
    yield policy
    for part in parts(policy) if policy[0] != "list" else ():
        yield from within(part)


def lists_in(policy: Policy) -> int:
    """How many lists a policy looks into."""
    return (policy[0] == "list") + sum(map(lists_in, parts(policy)))


# -- making one up

_MAIN = ("Anchor", "Beacon", "Canoe", "Deck")
_OWNED = ("Plank", "Rivet")
_RELATIONS = ("home", "next", "boss", "mate", "keel")
_LISTS = (
    "guests",
    "pupils",
    "heirs",
    "peers",
    "helpers",
    "visits",
    "fans",
    "clubs",
    "troops",
    "jobs",
    "leads",
    "seats",
)
_FIELDS = {
    "str": ("name", "code", "ship_mark"),
    "int": ("size", "deck_count"),
    "float": ("rate",),
    "bool": ("flag",),
    "decimal": ("unit_price", "cost"),
    "date": ("due_on",),
    "datetime": ("seen_at",),
    "uuid": ("serial",),
    "enum": ("color",),
    "json": ("extra",),
    "strs": ("tags",),
    "ints": ("marks",),
    "map": ("counts",),
    "spot": ("spot",),
    "way": ("way",),
}


def random_contract(seed: int) -> Spec:
    """The contract of a seed."""
    rng = Random(f"contract {seed}")
    tenants = rng.choice([None, None, "text", "reference"])
    resources: list[Res] = []
    if tenants == "reference":
        org = Res("Org", [Value("id", "id"), Value("name", "str")])
        org.allow = {"browse": PUBLIC, "read": PUBLIC, "create": PUBLIC}
        resources.append(org)
    sailor = Res(
        "Sailor", [Value("id", "id"), Value("name", "str", filters=OPERATORS["str"])], owner="id", sort=["name"]
    )
    sailor.fields += _some_fields(rng, 1)
    sailor.soft = rng.random() < 0.3
    sailor.allow = dict.fromkeys(("browse", "read", "create", "update", "delete"), PUBLIC)
    if sailor.soft:
        sailor.allow["restore"] = PUBLIC
    resources.append(sailor)
    main: list[Res] = []
    for name in _MAIN[: rng.randint(2, 4)]:
        res = Res(name, [Value("id", "id")])
        res.soft = rng.random() < 0.4
        if tenants and rng.random() < 0.7:
            if tenants == "text":
                res.fields.append(Value("team", "str", write="never"))
                res.tenant = "team"
            else:
                res.fields.append(Value("org_id", "id", relation="org", to="Org", write="never"))
                res.tenant = "org_id"
        res.fields += _some_fields(rng, rng.randint(2, 5))
        main.append(res)
    if not any(res.tenant for res in main):
        tenants = None
    resources += main
    spec = Spec(resources, tenants)
    for res in main:
        _relate(rng, spec, res, main)
    for number, res in enumerate(rng.sample(main, rng.randint(0, min(2, len(main))))):
        item = _own(rng, spec, res, _OWNED[number])
        resources.append(item)
    if rng.random() < 0.8:
        _link(rng, *rng.sample(main, 2), "pairs")
    spec = Spec(resources, tenants)
    for res in main:
        _finish(rng, spec, res)
    return spec


def _some_fields(rng: Random, count: int) -> list[Value]:
    free = [(kind, name) for kind, names in _FIELDS.items() for name in names]
    return [_some_field(rng, kind, name) for kind, name in rng.sample(free, count) if name != "name"] + (
        [_some_field(rng, "str", "name")] if count > 1 else []
    )


def _some_field(rng: Random, kind: str, name: str) -> Value:
    value = Value(name, kind, nullable=kind == "json" or rng.random() < 0.4)
    if kind == "enum":
        value.choices = CHOICES
    if kind == "int" and rng.random() < 0.3:
        value.low, value.high = -5, 50
    if kind in ("ints", "map") and rng.random() < 0.5:
        value.low, value.high = -5, 50
    if kind in ("str", "strs") and rng.random() < 0.3:
        value.max_length = 8
    if kind in (*LISTS, "map") and rng.random() < 0.5:
        value.max_items = 3
    default: Any = {"str": "dflt", "int": 2, "bool": True, "enum": "green", "float": 0.5, "ints": [2]}.get(kind)
    default = {"strs": [], "map": {}}.get(kind, default)
    if default is not None and rng.random() < (0.6 if kind in NESTED else 0.3):
        value.default = default
    if kind in ("str", "int", "uuid") and rng.random() < 0.2:
        value.unique = True
        value.nocase = kind == "str" and rng.random() < 0.5
    if OPERATORS[kind] and rng.random() < 0.75:
        every = OPERATORS[kind]
        value.filters = every if rng.random() < 0.7 else tuple(rng.sample(every, 2))
        if value.nullable and len(value.filters) < len(every) and rng.random() < 0.3:
            value.filters += ("isNull",)
    if rng.random() < 0.15:
        value.read = SEE
    value.write = rng.choice(["always"] * 6 + ["create"])
    if (value.default is not NOTHING or value.nullable) and rng.random() < 0.1:
        value.write = "never"
    return value


def _free_list(res: Res) -> str:
    return next(name for name in _LISTS if all(rows.name != name for rows in res.lists))


def _relate(rng: Random, spec: Spec, res: Res, main: list[Res]) -> None:
    """References to other resources, to itself, and to whoever owns a row."""
    if rng.random() < 0.6:
        res.fields.append(Value("keeper_id", "id", relation="keeper", to="Sailor", caller=True))
        keeper = res.fields[-1]
        keeper.nullable = rng.random() < 0.3
        keeper.write = rng.choice(["always", "create"])
        keeper.filters = OPERATORS["id"] if rng.random() < 0.5 else ()
        keeper.on_delete = "set_null" if keeper.nullable else rng.choice(["restrict", "cascade"])
        if keeper.on_delete == "cascade" and spec.by_name["Sailor"].soft and not res.soft:
            keeper.on_delete = "restrict"
        res.owner = "keeper_id"
    elif rng.random() < 0.5:
        res.fields.append(Value("opened_by", "str", filters=("eq", "ne", "in")))
        res.owner = "opened_by"
    for relation in rng.sample(_RELATIONS, rng.randint(0, 2)):
        here = main.index(res)
        target = rng.choice(main)
        key = Value(f"{relation}_id", "id", relation=relation, to=target.name)
        key.nullable = target is res or main.index(target) > here or rng.random() < 0.4
        key.filters = OPERATORS["id"] if rng.random() < 0.5 else ()
        allowed = ["restrict"]
        allowed += ["set_null"] if key.nullable else []
        allowed += ["cascade"] if res.soft or not target.soft else []
        key.on_delete = rng.choice(allowed)
        key.unique = rng.random() < 0.1
        key.read = SEE if key.nullable and rng.random() < 0.2 else None
        key.write = rng.choice(["always", "always", "create"])
        res.fields.append(key)
        if rng.random() < 0.7:
            target.lists.append(
                Rows(_free_list(target), "many", res.name, by=key.name, max_length=rng.choice([None, 2]))
            )


def _own(rng: Random, spec: Spec, res: Res, name: str) -> Res:
    """A list of parts."""
    item = Res(
        name,
        [
            Value("id", "id"),
            Value(f"{res.name.lower()}_id", "id", relation=res.name.lower(), to=res.name, write="never", back=True),
        ],
    )
    item.owned_by = res.name
    item.fields.append(Value("quantity", "int", low=0, high=50))
    item.fields.append(Value("note", "str", nullable=True, read=SEE if rng.random() < 0.3 else None))
    if rng.random() < 0.5:
        item.fields.append(Value("weight", "int", default=1))
    others = [other for other in spec.main if other.name not in (res.name, "Org") and (not other.tenant or res.tenant)]
    if others and rng.random() < 0.6:
        nullable = rng.random() < 0.5
        item.fields.append(Value("about_id", "id", relation="about", to=rng.choice(others).name, nullable=nullable))
    rows = Rows(_free_list(res), "owned", name, max_length=6)
    res.lists.append(rows)
    if rng.random() < 0.6:
        factors = ("quantity", "weight") if item.value("weight") and rng.random() < 0.5 else ("quantity",)
        total = Value("total", "int", computed=(rows.name, *factors), write="never", filters=OPERATORS["int"])
        res.fields.append(total)
    return item


def _link(rng: Random, left: Res, right: Res, through: str) -> None:
    """Many-to-many, declared on both sides."""
    left.lists.append(Rows(_free_list(left), "linked", right.name, through=through, max_length=rng.choice([None, 3])))
    write = rng.choice(["always", "never"])
    right.lists.append(Rows(_free_list(right), "linked", left.name, through=through, first=False, write=write))


def _finish(rng: Random, spec: Spec, res: Res) -> None:
    """Operations, states, versions and who may."""
    if rng.random() < 0.5:
        res.fields.append(
            Value("state", "enum", default="open", choices=STATES, write="never", filters=OPERATORS["enum"])
        )
        res.moves = {"hold": (("open",), "held"), "finish": (("open", "held"), "done")}
    if rng.random() < 0.4:
        res.fields.append(Value("created_at", "datetime", auto="created", filters=OPERATORS["datetime"]))
    if rng.random() < 0.4:
        res.fields.append(Value("updated_at", "datetime", auto="updated"))
    if rng.random() < 0.5:
        res.fields.append(Value("version", "int", auto="version"))
    plain = [v for v in res.fields if v.kind in ("str", "int") and not v.nullable and not v.auto and not v.computed]
    plain = [v for v in plain if v.name not in (res.tenant, "opened_by") and v.write == "always" and not v.read]
    if len(plain) > 1 and rng.random() < 0.3:
        res.together.append(tuple(v.name for v in rng.sample(plain, 2)))
    sortable = [v for v in res.fields if v.kind not in ("json", "id", "bool", "uuid", *NESTED) and not v.read]
    sortable = [v for v in sortable if v.name not in (res.tenant, "opened_by")]  # these hold ids, and are symbols here
    res.sort = sorted({v.name for v in rng.sample(sortable, min(len(sortable), 4))})
    if res.sort and rng.random() < 0.3:
        res.default_sort = [rng.choice(["", "-"]) + name for name in rng.sample(res.sort, 1)]
    res.page_size, res.max_page_size = rng.choice([(20, 100), (3, 10), (5, 5)])
    _rules(rng, spec, res)
    _spans(rng, spec, res)
    far = [
        (str(key.relation), value.name)
        for key in res.refs
        if key.to != "Org"
        for value in spec.by_name[str(key.to)].fields
        if value.filters and not value.to
    ]
    res.far = rng.sample(far, min(len(far), rng.choice([0, 1, 2])))
    res.or_groups = rng.choice([0, 2])
    seen = _policy(rng, spec, res, "browse")
    res.allow["browse"] = seen
    if rng.random() < 0.85:
        res.allow["read"] = seen if rng.random() < 0.7 else _policy(rng, spec, res, "read")
    for name in ("create", "replace", "update", "delete"):
        if name == "create" or rng.random() < 0.85:
            res.allow[name] = _policy(rng, spec, res, name)
    if res.soft:
        res.allow["restore"] = rng.choice([PUBLIC, ("authenticated",), ("scope", DO)])
    for name in res.moves:
        res.allow[name] = _policy(rng, spec, res, name)
    if res.version and rng.random() < 0.4:
        res.match = {name for name in ("update", "delete", "hold") if name in res.allow and rng.random() < 0.4}


def _rules(rng: Random, spec: Spec, res: Res) -> None:
    """Checks of the row, and of the parts that it has."""
    for at, chance in [(res, 0.4), *((spec.by_name[rows.target], 0.3) for rows in res.owned)]:
        if rng.random() < chance and not at.checks:
            atoms = [atom for value in at.fields for atom in _atoms(rng, at, value)]
            made = [_check(rng, atoms) for _ in range(rng.choice([1, 1, 2])) if atoms]
            names = [rng.choice([None, f"rule_{number}"]) for number in range(len(made))]
            at.checks = list({repr(check): (name, check) for name, check in zip(names, made, strict=True)}.values())


def _spans(rng: Random, spec: Spec, res: Res) -> None:
    """Spans that do not overlap, within what rows have in common."""
    if rng.random() < 0.2:
        nullable = rng.random() < 0.5
        res.fields.append(Value("starts", "int", nullable=rng.random() < 0.2))
        res.fields.append(Value("ends", "int", nullable=nullable, write=rng.choice(["always", "create"])))
        keys = [v.name for v in res.fields if v.kind in ("str", "enum") or (v.to and v.to != "Org")]
        keys = [name for name in keys if name not in (res.tenant, "opened_by")]
        res.spans = [(tuple(rng.sample(keys, min(len(keys), rng.choice([0, 1, 1, 2])))), "starts", "ends")]


def _check(rng: Random, atoms: list[Policy]) -> Policy:
    """Most rows are to keep it, so that most of it is joined by or."""
    chance = rng.random()
    left, right = rng.choice(atoms), rng.choice(atoms)
    if chance < 0.25 or left == right:
        return left
    if chance < 0.85:
        return ("or", left if chance < 0.6 else ("not", left), right)
    return ("and" if chance < 0.92 else "or", left, ("not", ("and", left, right)))


def _atoms(rng: Random, res: Res, value: Value) -> list[Policy]:
    """What a check can ask of a field."""
    if value.name in ("id", res.tenant, "opened_by") or value.auto or value.back or value.kind in ("json", *NESTED):
        return []
    if value.computed and value.kind != "int":
        return []
    found: list[Policy] = []
    match value.kind:
        case "int":
            found += [
                ("cmp", (), value.name, "ne", 3),
                ("cmp", (), value.name, "lte", 7),
                ("cmp", (), value.name, "gt", 0),
            ]
        case "str":
            found += [("cmp", (), value.name, "ne", "a"), ("cmp", (), value.name, "in", ("ab", "zz"))]
        case "enum":
            found += [("cmp", (), value.name, "ne", value.choices[1]), ("cmp", (), value.name, "in", value.choices[:2])]
    if value.nullable and not value.to:
        found.append(("cmp", (), value.name, "isNull", None))
    ordered = ("ne", "lt", "gte") if value.kind in ("int", "float", "decimal", "date", "datetime") else ("ne",)
    alike = [
        other
        for other in res.fields
        if _compared(other, value, res) and (other.to, other.places) == (value.to, value.places) and not other.back
    ]
    if alike:
        other = rng.choice(alike)
        found += [
            ("cmp", (), value.relation or value.name, rng.choice(ordered), ("at", other.relation or other.name))
        ] * 2
    return found


CLAIMS = {
    "str": ("mark", "marks"),
    "int": ("level", "levels"),
    "enum": ("shade", "shades"),
    "id": ("friend", "friends"),
}
"""For each kind of field the claim that is compared with one, and the one that is a list of such values."""


def _policy(
    rng: Random, spec: Spec, res: Res, operation: str, depth: int = 0, outside: Res | None = None, lists: int = 0
) -> Policy:
    """A policy on rows of a resource; `outside` is that of the row outside, within a list, and `lists` how many there are."""
    chance = rng.random()
    if depth == 0 and chance < (0.6 if operation == "create" else 0.5 if operation in ("browse", "read") else 0.35):
        return PUBLIC
    if depth < 2 and chance < 0.75:
        word = rng.choice(["or", "or", "or", "and"])
        left, right = (_policy(rng, spec, res, operation, depth + 1, outside, lists) for _ in "12")
        return (word, left, right)
    if depth < 2 and chance < 0.8:
        return ("not", _policy(rng, spec, res, operation, depth + 2, outside, lists))
    paths = _paths(spec, res)
    chance = rng.random()
    if (
        chance < (0.35 if lists == 0 else 0.1)
        and lists < 2
        and (found := _list(rng, spec, paths, operation, res, lists))
    ):
        return found
    if chance > 0.82:
        return _of_caller(rng, paths, operation)
    return rng.choice(_leaves(rng, paths, operation))


def _list(
    rng: Random, spec: Spec, paths: list[tuple[tuple[str, ...], Res]], operation: str, res: Res, lists: int
) -> Policy | None:
    """What is asked of a list: memberships mostly. A row that is being created has no lists, and is in no database yet."""
    new = operation == "create"
    every = [(refs, rows) for refs, at in paths for rows in at.lists if refs or not new]
    if not every:
        return None
    refs, rows = rng.choice(every)
    target = spec.by_name[rows.target]
    inner = _policy(rng, spec, target, "list", rng.choice([1, 2, 2]), None if new else res, lists + 1)
    members = [("owner", path) for path, at in _paths(spec, target) if at.owner and len(path) < 2]
    if members and rng.random() < 0.5:
        roles = [v for v in target.fields if v.kind == "enum"]
        inner = rng.choice(members)
        if roles and rng.random() < 0.7:
            inner = ("and", inner, ("cmp", (), roles[0].name, "eq", rng.choice(roles[0].choices)))
    if not new and rng.random() < 0.25:
        pairs = [
            (mine, ("outer", out, other.relation or other.name))
            for mine in target.fields
            for out, at in _paths(spec, res)[:3]
            for other in at.fields
            if mine.kind in ("str", "int", "enum", "id") and not mine.back and not other.back and mine.name != "id"
            if (mine.kind, mine.nocase, mine.choices, mine.to) == (other.kind, other.nocase, other.choices, other.to)
            if other.name != "id" and mine.to != "Org" and not {mine.name, other.name} & {"opened_by", "team"}
        ]
        if pairs:
            mine, other = rng.choice(pairs)
            met = ("cmp", (), mine.relation or mine.name, rng.choice(["eq", "eq", "ne"]), other)
            inner = met if rng.random() < 0.5 else ("and", met, inner)
    return ("list", rng.choice(["any", "any", "none"]), refs, rows.name, inner)


def _of_caller(rng: Random, paths: list[tuple[tuple[str, ...], Res]], operation: str) -> Policy:
    """What is asked of the caller: claims, and the tenant."""
    found: list[Policy] = [
        ("caller", "plan", rng.choice(["eq", "ne"]), "pro"),
        ("caller", "plan", "in", ("pro", "team")),
        ("caller", "on", "eq", True),
        ("caller", "level", "ne", 2),
    ]
    for refs, at in paths:
        if at.tenant:
            found.append(("mine", refs, at.at(at.tenant).relation or at.tenant, "eq", TENANT))
        for value in at.fields:
            if value.name in ("id", at.tenant, "opened_by") or value.auto or value.computed or value.back:
                continue
            if value.kind == "bool":
                found.append(("mine", refs, value.name, "eq", "on"))
            elif value.kind in CLAIMS and value.to in (None, "Sailor"):
                one, many = CLAIMS[value.kind]
                operators = ("eq", "ne", "gt", "lte") if value.kind == "int" else ("eq", "ne")
                name = value.relation or value.name
                found += [("mine", refs, name, rng.choice(operators), one), ("mine", refs, name, "in", many)]
    policy = rng.choice(found[rng.choice([0, 4]) :] or found)
    return ("not", policy) if rng.random() < 0.3 else policy


def _leaves(rng: Random, paths: list[tuple[tuple[str, ...], Res]], operation: str) -> list[Policy]:
    leaves: list[Policy] = [("scope", rng.choice(SCOPES)), ("authenticated",)]
    for refs, at in paths:
        if at.owner and not (operation == "create" and not refs and at.owner == "id"):
            leaves += [("owner", refs)] * 3
        for value in at.fields:
            if (
                value.kind in ("str", "int", "enum")
                and not value.auto
                and not value.computed
                and value.name not in (at.tenant, "opened_by")
            ):
                operators = ("eq", "ne", "gt", "lte") if value.kind == "int" else ("eq", "ne")
                constant = {"str": "a", "int": 2}.get(value.kind) or rng.choice(value.choices)
                leaves.append(("cmp", refs, value.name, rng.choice(operators), constant))
                if rng.random() < 0.2:
                    several = {"str": ("a", "", "Ab"), "int": (2, 0, 7)}.get(value.kind) or value.choices
                    leaves.append(("cmp", refs, value.name, "in", tuple(rng.sample(several, 2))))
                alike = [other for other in at.fields if _compared(other, value, at)]
                if alike and rng.random() < 0.3:
                    leaves.append(("cmp", refs, value.name, rng.choice(operators), ("at", rng.choice(alike).name)))
            if (value.nullable or refs) and not value.computed and not value.back and rng.random() < 0.1:
                leaves.append(("cmp", refs, value.name, "isNull", None))
    return leaves


def _compared(value: Value, other: Value, res: Res) -> bool:
    """Whether two fields of one row may be compared."""
    same = (value.kind, value.nocase, value.choices) == (other.kind, other.nocase, other.choices)
    return same and value.name not in (other.name, res.tenant, "opened_by") and not (value.auto or value.computed)


def _paths(spec: Spec, res: Res) -> list[tuple[tuple[str, ...], Res]]:
    found: list[tuple[tuple[str, ...], Res]] = [((), res)]
    for key in res.refs:
        if key.to == "Org" or key.back:
            continue
        target = spec.by_name[str(key.to)]
        found.append(((str(key.relation),), target))
        found += [
            ((str(key.relation), str(far.relation)), spec.by_name[str(far.to)])
            for far in target.refs
            if far.to != "Org"
        ]
    return found
