"""A resource while it is being compiled: what its class declares, and what became of it so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sternpost.compile.types import FieldType, RelationType
from sternpost.contract.operations import Operation
from sternpost.contract.resource import Declaration, Resource
from sternpost.contract.source import Source, attribute_source, class_keyword_source
from sternpost.plan.model import FieldPlan
from sternpost.plan.row_rules import CheckPlan, OverlapPlan


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation as declared."""

    name: str
    type: RelationType
    options: dict[str, Any]
    declaration: Declaration


@dataclass
class ResourceDraft:
    """One resource.

    Attributes:
        table, path: its table and the part of its addresses.
        external: whether the database is another program's, so that nothing can be added to it.
        types, declared, owners: by attribute, its type, the value it was given, and the class that declares it.
        fields: the fields that are compiled already; features add theirs and change what is there.
        computed: those that are computed when a row is read.
        unique, indexes: the declared groups that are valid.
        checks, no_overlap: the declared rules over rows that are valid.
        searched: the fields that its list is searched in.
        schema: the schema of an external database that holds the table.
        owned_by: the resource that owns its rows; known once the relations of all resources are.
    """

    cls: type[Resource]
    declaration: Declaration
    table: str
    path: str
    external: bool
    types: dict[str, FieldType | RelationType] = field(default_factory=dict[str, FieldType | RelationType])
    declared: dict[str, Any] = field(default_factory=dict[str, Any])
    owners: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    fields: dict[str, FieldPlan] = field(default_factory=dict[str, FieldPlan])
    computed: dict[str, FieldPlan] = field(default_factory=dict[str, FieldPlan])
    relations: list[Relation] = field(default_factory=list[Relation])
    operations: dict[str, Operation] = field(default_factory=dict[str, Operation])
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    checks: tuple[CheckPlan, ...] = ()
    no_overlap: tuple[OverlapPlan, ...] = ()
    searched: tuple[str, ...] = ()
    schema: str | None = None
    owned_by: str | None = None

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def shown(self) -> tuple[FieldPlan, ...]:
        """Its fields, those without a column, too."""
        return (*self.fields.values(), *self.computed.values())

    def keyword(self, name: str, default: Any = None) -> Any:
        """What the class line says for a keyword, exactly as it was given."""
        return self.declaration.keywords.get(name, default)

    def where(self, name: str, keyword: str | None = None) -> Source:
        """The line of one of its attributes, which may stand in an abstract base; a key has the line of its
        relation."""
        relation = name.removesuffix("_id")
        owner, shown_name = (
            (self.owners[relation], relation)
            if name not in self.owners and relation in self.owners
            else (self.owners.get(name, self.declaration), name)
        )
        return attribute_source(owner.source, owner.name, shown_name, keyword)

    def where_keyword(self, keyword: str, item: int | None = None) -> Source:
        """The line of one of its class keywords, or of an item of its list."""
        return class_keyword_source(self.declaration.source, self.name, keyword, item)

    def generated(self, kind: str) -> FieldPlan | None:
        """The first field that the server fills in this way."""
        return next((found for found in self.fields.values() if found.generated == kind), None)
