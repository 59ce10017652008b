"""What a contract compiles to. Frozen dataclasses of plain values; tuples, never lists."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Literal

import orjson

from sternpost.kinds import KINDS, READERS, JsonType, KindName
from sternpost.plan.limits import LimitPlan
from sternpost.plan.names import database_name
from sternpost.plan.policy import ALLOW, DENY, PolicyNode, Through, asks_now, of_caller, within
from sternpost.plan.query import RANK, ListFunction, Path
from sternpost.plan.row_rules import CheckPlan, OverlapPlan, Test, test_of
from sternpost.plan.shapes import AuthoredRow, InputShape, OutputShape, QueryShape, ResourceShape

Kind = KindName
"""The kind of a field's value. `id` is a row's own key or a reference to another row's."""

WriteRule = Literal["always", "create", "never"]
"""Whether a client may set the field: always, when creating only, or never (the server does)."""

Generated = Literal["id", "created", "updated", "version", "deleted", "database", "tenant"]
"""Who fills it in: the server the key, the time of creation, the time of the last change, the number of changes, the
time of deletion, the caller's tenant; or the database itself."""

OperationKind = Literal[
    "browse", "read", "create", "replace", "update", "delete", "restore", "transition", "custom", "batch"
]

BATCH = "$batch"
"""The id of the operation that carries several others out."""

OnDelete = Literal["restrict", "cascade", "set_null"]

DERIVED = {"derived": True}
"""Marks what follows from the rest of a plan: `as_data` leaves it out."""

NO_SHAPE = ResourceShape(OutputShape((), (), ()), (), AuthoredRow((), ()))
"""What a resource has before its shapes are made."""

DELETED_FIELD = "deleted_at"
"""The field of rows that are kept when they are deleted: since when they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldPlan:
    """One value of a resource, from its column to its name in JSON."""

    name: str
    public_name: str
    kind: Kind
    nullable: bool = False
    required: bool = False
    """Whether a creation must send it."""
    default: Any = None
    write: WriteRule = "always"
    description: str = ""
    example: Any = None
    """A value that fits, for documentation."""
    read_scope: str | None = None
    """The scope a token needs to see the field; None where everyone who sees the row does."""
    write_scope: str | None = None
    """The scope a token needs to set the field; None where everyone who may do the operation does."""
    hidden: bool = False
    """Never leaves: the key by which an owned row points at the one it is part of."""
    sensitive: bool = False
    """Masked in logs, traces and dead letters."""
    unique: bool = False
    ignore_case: bool = False
    """Whether values that differ in the case of ASCII letters alone are equal to unique rules and to comparisons."""
    generated: Generated | None = None
    caller_default: bool = False
    """The caller's own id is the default."""
    computed: Computed | None = None
    derived: Derived | None = None
    """How it is computed when its row is read; None for a field that is stored."""
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    decimal_places: int | None = None
    max_digits: int | None = None
    choices: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    """For people: what each of the values is called; nothing where they speak for themselves."""
    ranks: tuple[str, ...] = ()
    """All values in their order, the least first, where they have one; in an older version with those that it does not
    know."""
    references: str | None = None
    """For an id: the resource whose key it is."""
    on_delete: OnDelete | None = None
    filters: tuple[str, ...] = ()
    """Filter operators that lists allow on it."""
    column: str | None = None
    """Its column, where that has another name."""
    storage: str | None = None
    """How an external database keeps it, where there are several ways: one of its kind's `storage`."""
    json_type: JsonType | None = None
    """For JSON that is always an object, or always a list."""
    structure: Structure | None = None
    """For JSON of which each part is declared: what it consists of."""
    stored: tuple[tuple[str, Any], ...] = ()
    """Rules that its column keeps instead, because an older version of the API allows more."""
    shown: tuple[tuple[Any, Any], ...] = ()
    """In an older version: what is shown of values that it does not know."""
    converted: bool = False
    """In an older version: whether its values are another form of what is stored."""

    @property
    def as_stored(self) -> FieldPlan:
        """The field with the rules of its column."""
        return replace(self, **dict(self.stored)) if self.stored else self

    @property
    def column_name(self) -> str:
        """Its column."""
        return self.column or self.name


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list in JSON, with so many items.

    Attributes:
        items: what each item may be.
    """

    items: FieldPlan
    min_items: int
    max_items: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object in JSON whose members a client names, with so many of them.

    Attributes:
        values: what each value may be.
    """

    values: FieldPlan
    min_items: int
    max_items: int


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """An object in JSON with declared members.

    Attributes:
        payloads: what it may be.
        discriminator: where there are several, the field by whose one value they are told apart.
    """

    payloads: tuple[PayloadPlan, ...]
    discriminator: str | None = None

    def member(self, name: str) -> FieldPlan:
        """A member of an object that is of one kind."""
        return next(field for field in self.payloads[0].fields if field.name == name)


Structure = ListOf | MapOf | ObjectOf


@dataclass(frozen=True, slots=True)
class Computed:
    """A total over an owned list: the sum of the product of these fields of each item (1 where none is named)."""

    relation: str
    factors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfRows:
    """What is told of the rows of a list, where the row that has it is read.

    Attributes:
        where: which of them; None for all.
        field, by: for the last of them, the value, and the field by whose greatest value the row is found.
        all: whether rows and fields count that the caller may not read.
    """

    function: ListFunction
    relation: str
    where: PolicyNode | None = None
    field: str | None = None
    by: str | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class InPython:
    """That an author's function computes it, of these fields of the row.

    Attributes:
        all: whether it may look at fields that who reads the value may not see.
    """

    fields: tuple[str, ...]
    all: bool = False


Derived = OfRows | InPython


@dataclass(frozen=True, slots=True)
class NewRow:
    """What the server puts into a new row where nothing is given.

    Attributes:
        values: of each field in their order; nothing in the place of those below.
        key: the field that gets a fresh id.
        times: the fields that get the present time.
    """

    values: dict[str, Any]
    key: str | None
    times: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UniqueRule:
    """That no two rows have the same values.

    Attributes:
        declared: which values.
        fields: the same, with the tenant before them where there is one: other tenants may have the same values.
        ignore_case: those of the fields for which the case of ASCII letters makes no difference.
        is_index: whether an index keeps it, because a constraint cannot: it is about some of the rows, or about what is
            made of the values.
    """

    name: str
    declared: tuple[str, ...]
    fields: tuple[str, ...]
    ignore_case: frozenset[str]
    is_index: bool


@dataclass(frozen=True, slots=True)
class RelationPlan:
    """How rows of one resource relate to rows of another."""

    name: str
    public_name: str
    kind: Literal["one", "many", "owned", "linked"]
    target: str
    local_field: str
    """The field of this resource that is compared: a foreign key for `one`, else the id."""
    remote_field: str
    """The field of the target that is compared: its id for `one`, else its foreign key."""
    link_table: str | None
    link_local: str | None
    link_remote: str | None
    """For `linked` (many-to-many): the table of pairs and its two columns."""
    input_name: str | None
    """The member that sets it in an input: the list itself for `owned`, a list of ids for `linked`."""
    min_items: int
    max_items: int
    nested_route: bool
    description: str
    link_schema: str | None = None
    """The schema of an external database that holds the table of pairs."""
    write_scope: str | None = None
    """The scope a token needs to send it in an input, for `linked`."""
    link: PolicyNode | None = None
    """Which rows of the target an input may refer to; None for those that the caller may see."""


@dataclass(frozen=True, slots=True)
class PayloadPlan:
    """A structure of a custom operation's input or output."""

    name: str
    fields: tuple[FieldPlan, ...]
    description: str


@dataclass(frozen=True, slots=True)
class OwnError:
    """An error of the author's that an operation may respond with."""

    code: str
    status: int
    message: str
    fix: str


OutputForm = Literal["one", "list", "page"]
"""How many of what it declares an operation gives."""


@dataclass(frozen=True, slots=True)
class RelatedFilter:
    """A filter of a list over a row that the listed rows refer to.

    Attributes:
        path: the relations that lead to it; none for a member of an object of the listed rows.
        field: its field.
        members: where that holds an object, what leads into it: names of members, the one that is looked at last.
        all: whether rows and fields count that the caller may not read.
    """

    path: tuple[str, ...]
    field: str
    all: bool
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchedField:
    """A field that a list is searched in.

    Attributes:
        all: whether callers find rows by it who may not read it.
    """

    name: str
    all: bool

    def __repr__(self) -> str:
        return f"searched({self.name}, all=True)" if self.all else self.name


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """An answer with an own media type."""

    type: str
    max_bytes: int
    content_security_policy: str | None = None
    """What a page may load; None for nothing."""


@dataclass(frozen=True, slots=True)
class ObjectivePlan:
    """What calls keep, where an author has said it: milliseconds, a share of calls, calls a second."""

    p95_ms: float | None = None
    p99_ms: float | None = None
    error_rate: float | None = None
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class OperationPlan:
    """One operation: what it does, who may call it, and its address."""

    id: str
    name: str
    kind: OperationKind
    resource: str
    method: str
    path: str
    on_item: bool
    policy: PolicyNode
    summary: str
    success_message: str
    """The log line's text."""
    status: int
    page_size: int | None
    max_page_size: int | None
    sort: tuple[str, ...]
    default_sort: tuple[str, ...]
    state_field: str | None
    sources: tuple[str, ...]
    target: str | None
    input: PayloadPlan | None
    output: PayloadPlan | None
    """For custom operations; without one the output is the resource itself."""
    returns_nothing: bool
    timeout_seconds: float | None
    has_service: bool
    """Whether an author's function runs in it."""
    retry_safe: bool = False
    """Whether that function may run again after a conflict in the database."""
    export: bool = False
    """For a list: whether all of it can be had at once."""
    related: tuple[RelatedFilter, ...] = ()
    """For a list: filters over rows that the listed ones refer to."""
    or_groups: int = 0
    """For a list: how many groups of filters may be joined by "or"."""
    search: tuple[SearchedField, ...] = ()
    """For a list: the fields that it can be searched in, the most important first."""
    require_match: bool = False
    """Whether a caller has to say which version of the row it is about."""
    idempotency: Literal["optional", "required"] = "optional"
    """Whether a change has to come with an idempotency key."""
    uses_request: bool = False
    """Whether an author's function in it looks at the request, or adds to the response, of HTTP."""
    redirects: bool = False
    """Whether it answers with another address."""
    media: MediaPlan | None = None
    """The media type that it answers with; None for JSON."""
    output_form: OutputForm = "one"
    """For custom operations: whether the output is one, a list, or a page of a list."""
    output_rows: str | None = None
    """For custom operations: the resource whose rows are the output."""
    max_items: int | None = None
    """For a list of a custom operation: the most that it may have."""
    headers: tuple[tuple[str, str], ...] = ()
    """Own headers of the answer, each with what it tells."""
    errors: tuple[OwnError, ...] = ()
    """Own errors that it may respond with."""
    example: tuple[tuple[str, Any], ...] = ()
    """An input that fits, by names in JSON, for documentation."""
    limits: tuple[LimitPlan, ...] | None = None
    """Its rate limits; None where it declares none, so that those of the plan hold."""
    emits: tuple[str, ...] = ()
    """The events that are written with the change."""
    audited: bool = False
    """Whether each call writes a line that says who did what."""
    acceptance: tuple[tuple[str, str], ...] = ()
    """What tests have to prove of it: codes, each with what has to be true."""
    critical: bool = False
    """Whether the service cannot do without it."""
    cache: Literal["none"] | None = None
    """How answers of a read are kept; None where nobody has decided that."""
    objective: ObjectivePlan | None = None
    """How fast, how reliable and how often it has to answer, where that is declared."""
    takes: InputShape | None = dataclasses.field(default=None, metadata=DERIVED)
    """What a client may send; None where it takes no input."""
    query: QueryShape | None = dataclasses.field(default=None, metadata=DERIVED)
    """What can be asked of a read; None where it takes no parameters."""

    @property
    def http_only(self) -> bool:
        """Whether HTTP alone can serve it, so that batches and other protocols leave it out."""
        return self.uses_request or self.redirects or self.media is not None

    @property
    def in_batches(self) -> bool:
        """Whether it can be a step: a function that reads may not write, and a batch is a transaction that does."""
        if self.kind == "batch" or self.http_only:
            return False
        return self.kind != "custom" or self.method != "GET"

    @property
    def has_parameters(self) -> bool:
        """Whether its input is sent as parameters, not as a body."""
        return self.kind == "custom" and self.method == "GET" and (self.input is not None or self.is_paged)

    @property
    def is_paged(self) -> bool:
        """Whether an author's function makes pages of a list."""
        return self.output_form == "page"

    @property
    def gives_own_row(self) -> bool:
        """Whether the answer is the row that it is about, or rows of its resource."""
        return self.output is None and self.output_rows is None


@dataclass(frozen=True)
class ResourcePlan:
    """One kind of thing: its fields, relations and operations."""

    name: str
    table: str
    path: str
    prefix: str
    description: str
    owner_field: str | None
    owned_by: str | None
    """For the items of an owned list: the resource they are written with."""
    position_column: str | None
    fields: tuple[FieldPlan, ...]
    relations: tuple[RelationPlan, ...]
    operations: tuple[OperationPlan, ...]
    unique_together: tuple[tuple[str, ...], ...]
    schema: str | None = None
    """The schema of an external database that holds the table; None for the one that is searched first."""
    indexes: tuple[tuple[str, ...], ...] = ()
    """Declared indexes: field names, those that descend with a `-` before them."""
    tenant: str | None = None
    """The field that says whose row it is; every statement on the table asks for the caller's. `id` where the rows are
    the tenants."""
    soft_delete: bool = False
    """Whether deleted rows are kept, where no statement finds them."""
    audit: bool = False
    """Whether each change of a row is recorded."""
    checks: tuple[CheckPlan, ...] = ()
    """Conditions that every row keeps, in the order of their names."""
    no_overlap: tuple[OverlapPlan, ...] = ()
    """Spans of which no two overlap."""
    searched: tuple[str, ...] = ()
    """The fields of whose words an index is kept: those that the newest version of its list is searched in, or the last
    one that there was."""
    computed: tuple[FieldPlan, ...] = ()
    """Fields without a column, which are computed when a row is read; only answers and the data client have them."""
    shape: ResourceShape = dataclasses.field(default=NO_SHAPE, metadata=DERIVED)

    @cached_property
    def fields_by_name(self) -> dict[str, FieldPlan]:
        return {field.name: field for field in self.fields}

    @cached_property
    def shown(self) -> tuple[FieldPlan, ...]:
        """What can be read of a row: the fields that are stored, and those that are computed then."""
        return (*self.fields, *self.computed)

    @cached_property
    def shown_by_name(self) -> dict[str, FieldPlan]:
        return {field.name: field for field in self.shown}

    @cached_property
    def fields_by_column(self) -> dict[str, FieldPlan]:
        return {field.column_name: field for field in self.fields}

    @cached_property
    def key_storage(self) -> str | None:
        """How an external database keeps the key; None for Sternpost's own ids."""
        return self.fields_by_name["id"].storage

    @cached_property
    def relations_by_name(self) -> dict[str, RelationPlan]:
        return {relation.name: relation for relation in self.relations}

    @cached_property
    def version_field(self) -> FieldPlan | None:
        """The field that counts the changes of a row."""
        return next((field for field in self.fields if field.generated == "version"), None)

    @cached_property
    def reading(self) -> OperationPlan | None:
        """The operation whose policy says which rows a caller may see: `read`, else `browse`."""
        by_kind = {operation.kind: operation for operation in self.operations}
        return by_kind.get("read") or by_kind.get("browse")

    @cached_property
    def seeing(self) -> PolicyNode:
        """The policy that says which of its rows there are for a caller."""
        return self.reading.policy if self.reading is not None else DENY

    @cached_property
    def listing(self) -> OperationPlan | None:
        """The operation that lists its rows."""
        return next((operation for operation in self.operations if operation.kind == "browse"), None)

    def unique_in_tenant(self, group: tuple[str, ...]) -> tuple[str, ...]:
        """What has to differ where a group is unique: other tenants may have the same values."""
        return group if self.tenant in (None, "id") or self.tenant in group else (str(self.tenant), *group)

    @cached_property
    def row_checks(self) -> tuple[tuple[CheckPlan, Test], ...]:
        """The checks with what tells whether a row keeps them."""
        return tuple((check, test_of(check.condition, self.fields_by_name)) for check in self.checks)

    @cached_property
    def new_row(self) -> NewRow:
        """What the server puts into a new row."""
        values: dict[str, Any] = {}
        for field in self.fields:
            if field.generated in ("deleted", "database", "tenant"):  # the storage fills these in
                continue
            read = READERS.get(field.kind)
            default = field.default if field.default is None or read is None else read(field.default)
            values[field.name] = 1 if field.generated == "version" else default
        times = tuple(field.name for field in self.fields if field.generated in ("created", "updated"))
        return NewRow(values, next((field.name for field in self.fields if field.generated == "id"), None), times)

    @cached_property
    def unique_rules(self) -> dict[str, UniqueRule]:
        """The rules that values are unique, beside that of the key, by the names that they have in the database."""
        found: dict[str, UniqueRule] = {}
        for group in (*((field.name,) for field in self.fields if field.unique), *self.unique_together):
            ignored = frozenset(name for name in group if self.fields_by_name[name].ignore_case)
            name = database_name("uq", self.table, *group, *(("nocase",) if ignored else ()))
            while name in found:  # fields may be called like parts of others' names
                name = database_name(name, "2")
            is_index = self.soft_delete or bool(ignored)
            found[name] = UniqueRule(name, group, self.unique_in_tenant(group), ignored, is_index)
        return found

    @cached_property
    def owned_relations(self) -> tuple[RelationPlan, ...]:
        return tuple(relation for relation in self.relations if relation.kind == "owned")


@dataclass(frozen=True, slots=True)
class DatabaseObjectPlan:
    """Something in the database that the author makes, and Sternpost leaves alone.

    Attributes:
        on: the table of a trigger, an index or a rule.
        only: the database that has it; None where both do.
    """

    kind: Literal["view", "trigger", "function", "index", "rule"]
    name: str
    on: str | None = None
    only: Literal["sqlite", "postgresql"] | None = None


@dataclass(frozen=True)
class Plan:
    """The whole contract, compiled."""

    name: str
    title: str
    description: str
    version: str
    """The service's own version, for documentation and readiness."""
    license: str
    """An SPDX identifier, or nothing."""
    api_version: str
    base_path: str
    resources: tuple[ResourcePlan, ...]
    schema: Literal["own", "external"] = "own"
    """`own` if Sternpost manages the database's schema, `external` if not."""
    batch_max: int = 50
    """How many operations one batch may hold; 0 where there are no batches."""
    api_keys: bool = False
    """Whether API keys are taken beside tokens, and kept in the database."""
    events_kept_seconds: int = 604_800
    """How long the outbox keeps events."""
    database_objects: tuple[DatabaseObjectPlan, ...] = ()
    """What the author makes in the database."""
    deprecated: str | None = None
    """The day (ISO 8601) from which this version of the API is deprecated."""
    sunset: str | None = None
    """The day from which it may be gone."""
    deprecation_link: str | None = None
    gone_after_sunset: bool = False
    limits: tuple[LimitPlan, ...] = ()
    """The rate limits of each operation that declares none."""
    throttles: tuple[LimitPlan, ...] = ()
    """Those of the service as a whole."""

    @property
    def external(self) -> bool:
        """Whether the tables are external: Sternpost only changes their rows."""
        return self.schema == "external"

    @property
    def hides_keys(self) -> bool:
        """Whether keys of the database are kept from clients by encrypting them."""
        return any(resource.key_storage in ("integer", "text") for resource in self.resources)

    @property
    def only_reads(self) -> bool:
        """Whether no operation can change a row."""
        return all(operation.method == "GET" for resource in self.resources for operation in resource.operations)

    @property
    def keeps_answers(self) -> bool:
        """Whether answers of changes are kept, each under the idempotency key that it was asked for with."""
        return not (self.external or self.only_reads)

    @cached_property
    def by_name(self) -> dict[str, ResourcePlan]:
        return {resource.name: resource for resource in self.resources}

    @cached_property
    def operations(self) -> dict[str, tuple[ResourcePlan, OperationPlan]]:
        return {operation.id: (resource, operation) for resource in self.resources for operation in resource.operations}

    @cached_property
    def batch(self) -> OperationPlan | None:
        """Several operations in one transaction; None where there are no batches. It is about no resource, and whoever
        may call one of its operations may call it: each is under its own policy."""
        if not self.batch_max:
            return None
        return OperationPlan(
            id=BATCH,
            name=BATCH,
            kind="batch",
            resource="",
            method="POST",
            path=f"{self.base_path}/{BATCH}",
            on_item=False,
            policy=ALLOW,
            summary="Several operations in one transaction: all of them, or none",
            success_message="Batch carried out",
            status=200,
            page_size=None,
            max_page_size=None,
            sort=(),
            default_sort=(),
            state_field=None,
            sources=(),
            target=None,
            input=None,
            output=None,
            returns_nothing=False,
            timeout_seconds=None,
            has_service=False,
        )

    def reference_of(self, resource: ResourcePlan, relation: RelationPlan) -> FieldPlan | None:
        """The field that a relation of a resource follows, on whichever side it is; None for pairs."""
        if relation.kind == "one":
            return self.by_name[resource.name].fields_by_name[relation.local_field]
        return (
            None if relation.kind == "linked" else self.by_name[relation.target].fields_by_name[relation.remote_field]
        )

    @cached_property
    def tenanted(self) -> frozenset[str]:
        """The resources whose rows belong to a tenant: by a field of their own, or with the row that owns them."""
        return self._with_owned(lambda resource: resource.tenant is not None)

    @cached_property
    def emits(self) -> bool:
        """Whether an operation emits an event, so that there is an outbox."""
        return any(operation.emits for resource in self.resources for operation in resource.operations)

    @cached_property
    def audited(self) -> frozenset[str]:
        """The resources of which each change is recorded: those that say so, and what they own."""
        return self._with_owned(lambda resource: resource.audit)

    @cached_property
    def guarded(self) -> frozenset[str]:
        """The resources of which some rows are as if they did not exist: those of other tenants, and deleted ones."""
        return self.tenanted | self._with_owned(lambda resource: resource.soft_delete)

    def _with_owned(self, declared: Callable[[ResourcePlan], bool]) -> frozenset[str]:
        """The resources that declare something, and those that they own, at any depth."""
        found: set[str] = set()
        for resource in self.resources:
            owner: ResourcePlan | None = resource
            while owner is not None and not declared(owner):
                owner = self.by_name.get(owner.owned_by or "")
            if owner is not None:
                found.add(resource.name)
        return frozenset(found)

    @cached_property
    def referrers(self) -> dict[str, tuple[tuple[ResourcePlan, FieldPlan], ...]]:
        """For each resource the references that point at it. That of an item to its owner is none."""
        found: dict[str, list[tuple[ResourcePlan, FieldPlan]]] = {resource.name: [] for resource in self.resources}
        for resource in self.resources:
            owning = self.owning_key(resource)
            for field in resource.fields:
                if field.references is not None and field.name not in ("id", owning):
                    found[field.references].append((resource, field))
        return {name: tuple(pairs) for name, pairs in found.items()}

    def owning_key(self, resource: ResourcePlan) -> str | None:
        """For an item of an owned list the field that refers to its owner."""
        owner = self.by_name.get(resource.owned_by or "")
        links = owner.owned_relations if owner else ()
        return next((link.remote_field for link in links if link.target == resource.name), None)

    @cached_property
    def asks_now(self) -> bool:
        """Whether a policy, or what a computed field asks of rows, compares with the instant of the call."""
        derived = (field.derived for resource in self.resources for field in resource.computed)
        asked = (each.where for each in derived if isinstance(each, OfRows) and each.where is not None)
        return any(map(asks_now, (*self.policies, *asked)))

    @cached_property
    def policies(self) -> tuple[PolicyNode, ...]:
        """Every policy: of operations, and of what relations may refer to."""
        operations = (operation.policy for resource in self.resources for operation in resource.operations)
        links = (relation.link for resource in self.resources for relation in resource.relations if relation.link)
        return (*operations, *links)

    @cached_property
    def claims(self) -> frozenset[str]:
        """The claims of tokens that policies and limits ask for."""
        asked = (value for policy in self.policies for value in of_caller(policy))
        of_limits = (name for limit in self.every_limit for name in limit.claims)
        return frozenset((*(value.name for value in asked if value.source == "claim"), *of_limits))

    def limits_of(self, operation: OperationPlan) -> tuple[LimitPlan, ...]:
        """The rate limits of an operation, without those of the service."""
        if operation.kind == "batch":  # its steps have theirs
            return ()
        return self.limits if operation.limits is None else operation.limits

    @cached_property
    def every_limit(self) -> tuple[LimitPlan, ...]:
        """Every rate limit that some call has to pass."""
        return tuple(limit for limit, _ in self.limits_with_owners())

    def limits_with_owners(self) -> Iterator[tuple[LimitPlan, tuple[ResourcePlan, OperationPlan] | None]]:
        """The same, each with the operation that it is of; None for those of the service."""
        for limit in self.throttles:
            yield limit, None
        for resource in self.resources:
            for operation in resource.operations:
                for limit in self.limits_of(operation):
                    yield limit, (resource, operation)

    @cached_property
    def walked(self) -> frozenset[str]:
        """The resources whose rows policies look for in lists."""
        return frozenset(
            node.target for policy in self.policies for node in within(policy) if isinstance(node, Through)
        )

    @cached_property
    def removed_with_care(self) -> frozenset[str]:
        """The resources of which the database cannot remove even one row by itself: they are kept, or what refers to
        them, or to what goes along with them, counts that, or holds another row that goes along."""
        counted = {
            resource.name
            for resource in self.resources
            if any(field.on_delete == "set_null" and _counts(other) for other, field in self.referrers[resource.name])
        }
        return frozenset(
            resource.name
            for resource in self.resources
            if resource.soft_delete
            or not counted.isdisjoint({resource.name, *self._removed_along[resource.name]})
            or self._restricts_within(resource)
        )

    @cached_property
    def removed_by_each_other(self) -> frozenset[str]:
        """The resources some rows of which may hold others of them, or take them along: where several are removed the
        order matters, and the database may not count those that it took along itself."""
        return frozenset(
            resource.name
            for resource in self.resources
            if resource.name in self._removed_along[resource.name] or self._holds_its_own(resource)
        )

    def _holds_its_own(self, resource: ResourcePlan) -> bool:
        """Whether some rows may hold others of the same resource, or what goes along with those. In an external
        database what is held is as its own program has declared it."""
        going = {resource.name, *self._removed_along[resource.name]}
        held = [field for name in going for other, field in self.referrers[name] if other is resource]
        return not self.external and any(field.on_delete == "restrict" for field in held)

    def _restricts_within(self, resource: ResourcePlan) -> bool:
        """Whether what goes along with a row may hold another row that goes along; see `_holds_its_own`."""
        along = self._removed_along[resource.name]
        return not self.external and any(
            field.on_delete == "restrict" and other.name in along
            for name in {resource.name, *along}
            for other, field in self.referrers[name]
        )

    def gone_with(self, resource: str) -> frozenset[str]:
        """The resources of which rows may go with one that is removed, and its own."""
        return self._removed_along[resource] | {resource}

    @cached_property
    def _removed_along(self) -> dict[str, frozenset[str]]:
        """For each resource those whose rows go with its rows, directly or with others; itself, if it refers to itself
        so."""
        direct = {
            resource.name: {
                other.name for other, field in self.referrers[resource.name] if field.on_delete == "cascade"
            }
            | {relation.target for relation in resource.owned_relations}
            for resource in self.resources
        }
        found: dict[str, frozenset[str]] = {}
        for name, names in direct.items():
            along: set[str] = set()
            left = [*names]
            while left:
                each = left.pop()
                if each not in along:
                    along.add(each)
                    left += direct[each]
            found[name] = frozenset(along)
        return found

    def checked_references(self, resource: ResourcePlan) -> tuple[FieldPlan, ...]:
        """The references of a resource to rows that not everybody may refer to. That of an item to its owner
        is none."""
        owning = self.owning_key(resource)
        return tuple(
            field for field in resource.fields if field.references in self.guarded and field.name not in ("id", owning)
        )

    def field_at(self, resource: ResourcePlan, path: Path) -> FieldPlan:
        """The field at the end of a path: foreign keys are followed, and behind an object its members are; the last
        name is the field. The rank of a search is as a field."""
        if path == RANK:
            return RANK_FIELD
        field = resource.fields_by_name[path[0]]
        for name in path[1:]:
            if isinstance(field.structure, ObjectOf):
                field = field.structure.member(name)
            else:
                field = self.by_name[str(field.references)].fields_by_name[name]
        return field

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the plan's canonical JSON: two plans with one fingerprint behave alike."""
        return hashlib.sha256(orjson.dumps(self.as_data(), option=orjson.OPT_SORT_KEYS)).hexdigest()

    @cached_property
    def storage_fingerprint(self) -> str:
        """The same over what the database's schema depends on."""
        schema = [
            {
                "table": resource.table,
                "fields": [_schema_facts(field) for field in resource.fields],
                "links": [as_data(relation) for relation in resource.relations if relation.kind == "linked"],
                "unique": resource.unique_together,
                **({"tenant": resource.tenant} if resource.tenant else {}),
                **({"checks": as_data(resource.checks)} if resource.checks else {}),
                **({"no_overlap": as_data(resource.no_overlap)} if resource.no_overlap else {}),
                **({"search": resource.searched} if resource.searched else {}),
            }
            for resource in self.resources
        ]
        if self.api_keys:
            schema.append({"table": "sternpost_api_keys"})
        if self.audited:
            schema.append({"table": "sternpost_audit", "of": sorted(self.audited)})
        if self.keeps_answers:
            schema.append({"table": "sternpost_idempotency"})
        if self.emits:
            schema.append({"table": "sternpost_outbox"})
        return hashlib.sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def as_data(self) -> dict[str, Any]:
        """The plan as JSON-ready dictionaries; what is emitted, compared and fingerprinted."""
        return as_data(self)


_WHOLE: Kind = next(kind.name for kind in KINDS.values() if kind.types[0] is int)
RANK_FIELD = FieldPlan(name=RANK[0], public_name=RANK[0], kind=_WHOLE)
"""What the rank of a search is bound and read as."""


def _counts(resource: ResourcePlan) -> bool:
    """Whether rows of a resource keep how often, or when, they were changed."""
    return resource.version_field is not None or any(field.generated == "updated" for field in resource.fields)


_SCHEMA_FACTS = (
    "name",
    "kind",
    "nullable",
    "unique",
    "min_length",
    "max_length",
    "minimum",
    "maximum",
    "decimal_places",
    "max_digits",
    "choices",
    "references",
    "on_delete",
)


def _schema_facts(field: FieldPlan) -> dict[str, Any]:
    facts = {fact: as_data(getattr(field.as_stored, fact)) for fact in _SCHEMA_FACTS}
    if field.ignore_case:
        facts["ignore_case"] = True
    return {**facts, "column": field.column} if field.column else facts


def as_data(value: Any) -> Any:
    """A plan value as JSON-ready data. Policy nodes carry their class's name, so that they can be told apart."""
    if is_dataclass(value) and not isinstance(value, type):
        shown = (field.name for field in fields(value) if not field.metadata.get("derived"))
        data = {name: as_data(getattr(value, name)) for name in shown}
        if type(value).__module__ in ("sternpost.plan.policy", "sternpost.plan.caller"):
            return {"policy": type(value).__name__, **data}
        return data
    if isinstance(value, tuple | list):
        return [as_data(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return value
