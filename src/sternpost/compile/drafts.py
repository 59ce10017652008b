"""Reads the classes of a contract: what each declares, with every field checked and every mistake reported."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.fields import FieldCompiler, a
from sternpost.compile.names import PASCAL, SNAKE, camel, kebab, listed, matches, plural, snake
from sternpost.compile.operations import KINDS
from sternpost.compile.options import MANY, ONE, is_database_name, is_names, shown
from sternpost.compile.relations import Relation
from sternpost.compile.types import FieldType, RelationType, read_type
from sternpost.contract.fields import FieldDeclaration
from sternpost.contract.operations import Operation
from sternpost.contract.policy import BOOLEAN_MISUSE
from sternpost.contract.relations import RelationDeclaration
from sternpost.contract.resource import Declaration, Resource, declarations
from sternpost.contract.source import Source, attribute_source, class_keyword_source
from sternpost.plan.model import FieldPlan

_KEYWORDS = {
    "prefix",
    "owner",
    "plural",
    "table",
    "schema",
    "unique",
    "indexes",
    "abstract",
    "tenant",
    "soft_delete",
    "audit",
}
DELETED = "deleted_at"
"""The field of rows that are kept when they are deleted."""

_PREFIX = re.compile(r"[a-z]{2,8}")
_PLURAL = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


@dataclass
class Draft:
    """A resource while it is being compiled."""

    cls: type[Resource]
    declaration: Declaration
    table: str
    path: str
    types: dict[str, FieldType | RelationType]
    declared: dict[str, Any]
    owners: dict[str, Declaration]
    fields: dict[str, FieldPlan]
    relations: list[Relation]
    operations: dict[str, Operation]
    schema: str | None = None

    @property
    def name(self) -> str:
        return self.declaration.name

    def where(self, name: str, keyword: str | None = None) -> Source:
        """The line of one of its attributes, which may stand in an abstract base; a key has the line of its relation."""
        relation = name.removesuffix("_id")
        owner, shown_name = (
            (self.owners[relation], relation)
            if name not in self.owners and relation in self.owners
            else (self.owners.get(name, self.declaration), name)
        )
        return attribute_source(owner.source, owner.name, shown_name, keyword)

    def keyword(self, keyword: str) -> Source:
        """The line of one of its class keywords."""
        return class_keyword_source(self.declaration.source, self.name, keyword)


class DraftReader:
    """Reads one class after another; mistakes go to `report`."""

    def __init__(self, report: Report, *, external: bool = False) -> None:
        self.report = report
        self.external = external

    def read(self, cls: type[Resource], classes: dict[str, type[Resource]]) -> Draft:
        own = cls.__declaration__
        self._check_keywords(own)
        words = self._name(own, "plural", plural(snake(own.name)) or "things").replace("-", "_")
        draft = Draft(cls, own, self._name(own, "table", words), kebab(words), {}, {}, {}, {}, [], {})
        draft.schema = self._schema(own)
        for declaration in declarations(cls, Resource):
            self._read_declaration(declaration, draft, classes)
        self._compile_fields(draft)
        if not draft.types and not any(
            declaration.annotations.keys() - {"id"} for declaration in declarations(cls, Resource)
        ):
            self.report.add(own.source, "SP106", f"{own.name} has no field", "declare at least one, such as name: str")
        self._check_owner(draft)
        self._compile_tenant(draft)
        self._check_unique_groups(draft)
        self._check_indexes(draft)
        self._compile_soft_delete(draft)
        self._check_audit(draft)
        self._check_version(draft)
        self._check_columns(draft)
        return draft

    def _check_columns(self, draft: Draft) -> None:
        """In Sternpost's own databases columns follow the naming rules; no two writable fields share a column."""
        seen: dict[str, str] = {}
        for field in draft.fields.values():
            other = seen.setdefault(field.column_name, field.name)
            if not self.external and field.column is not None and not SNAKE.fullmatch(field.column):
                problem, fix = "is malformed", "use lower case and underscores"
            elif other != field.name:
                problem = f"is already used by {other}"
                fix = "choose another column"
            else:
                problem, fix = None, ""
            if problem is not None:
                self.report.add(
                    draft.where(field.name, "column"),
                    "SP221",
                    f"{draft.name}.{field.name}: its column {field.column_name!r} {problem}",
                    fix,
                )
            if field.storage is not None and not self.external:
                self.report.add(
                    draft.where(field.name, "storage"),
                    "SP222",
                    f"{draft.name}.{field.name}: storage is only allowed for existing tables of an external database",
                    'leave it out, or write Contract(…, schema="external")',
                )

    def _name(self, declaration: Declaration, keyword: str, otherwise: str) -> str:
        """The plural or the table that a class gives itself."""
        given = declaration.keywords.get(keyword, otherwise)
        if keyword == "table" and self.external and is_database_name(given):
            return given
        if matches(SNAKE if keyword == "table" else _PLURAL, given):
            return given
        if keyword in declaration.keywords:
            self.report.add(
                class_keyword_source(declaration.source, declaration.name, keyword),
                "SP108",
                f"{declaration.name}: {keyword}={shown(given)} is malformed",
                f'use lower case and underscores, such as {keyword}="order_items"',
            )
        return otherwise

    def _schema(self, declaration: Declaration) -> str | None:
        schema = declaration.keywords.get("schema")
        if schema is None or (self.external and is_database_name(schema)):
            return schema
        self.report.add(
            class_keyword_source(declaration.source, declaration.name, "schema"),
            "SP110",
            f"{declaration.name}: schema={shown(schema)} is not a valid name of a database schema"
            if self.external
            else f"{declaration.name}: schema is only allowed for existing tables of an external database",
            'write schema="sales"' if self.external else 'leave it out, or write Contract(…, schema="external")',
        )
        return None

    def _check_keywords(self, declaration: Declaration) -> None:
        name, keywords = declaration.name, declaration.keywords
        self.check_class(declaration, _KEYWORDS)
        abstract = keywords.get("abstract", False)
        if not isinstance(abstract, bool):
            self.report.add(
                class_keyword_source(declaration.source, name, "abstract"),
                "SP216",
                f"{name}: abstract={shown(abstract)} is not True or False",
                "write abstract=True",
            )
        prefix = keywords.get("prefix")
        if prefix is None:
            self.report.add(
                declaration.source,
                "SP102",
                f"{name} has no id prefix",
                f'write class {name}(Resource, prefix="{name[:3].lower()}")',
            )
        elif not matches(_PREFIX, prefix):
            self.report.add(
                class_keyword_source(declaration.source, name, "prefix"),
                "SP103",
                f"{name}: the id prefix {shown(prefix)} is malformed",
                "use 2 to 8 lower-case letters",
            )

    def check_class(self, declaration: Declaration, known: set[str]) -> None:
        """The name of a class, and its keywords."""
        name = declaration.name
        if not PASCAL.fullmatch(name):
            self.report.add(
                declaration.source,
                "SP109",
                f"the class's name {name!r} is malformed",
                "use a capital letter followed by ASCII letters and digits, such as OrderItem",
            )
        for keyword in declaration.keywords:
            where = class_keyword_source(declaration.source, name, keyword)
            if keyword in known:
                continue
            if keyword in _KEYWORDS and known:
                self.report.add(
                    where,
                    "SP101",
                    f"{name} is abstract and takes no {keyword}",
                    f"remove it here, and write it in each class that derives from {name}",
                )
            else:
                self.report.add(
                    where,
                    "SP101",
                    f"{name}: the class keyword {keyword!r} is unknown",
                    f"use one of {listed(sorted(known))}" if known else "leave it out",
                )

    def _read_declaration(self, declaration: Declaration, draft: Draft, classes: dict[str, type[Resource]]) -> None:
        for place in declaration.attributes.get(BOOLEAN_MISUSE, ()):
            self.report.add(
                place,
                "SP501",
                f"{declaration.name}: a policy is used with and, or, not or if, so Python would ignore a part of it",
                "use & instead of and, | instead of or, ~ instead of not",
            )
        if declaration.cls is not draft.cls and declaration.keywords.get("abstract") is True:
            self.check_class(declaration, {"abstract"})
        for name in declaration.annotations:
            if name == "id" or name.startswith("__"):
                continue
            found = read_type(declaration, name, cast("dict[str, type]", classes), self.report)
            if found is not None:
                draft.types[name] = found
                draft.declared[name] = declaration.attributes.get(name)
                draft.owners[name] = declaration
        for name, value in declaration.attributes.items():
            if isinstance(value, Operation) and not isinstance(value, tuple(KINDS)):
                self.report.add(
                    attribute_source(declaration.source, declaration.name, name),
                    "SP421",
                    f"{declaration.name}.{name}: {shown(value)} is not one of the operation types",
                    f"use one of {listed(kind.__name__ for kind in KINDS)}",
                )
            elif isinstance(value, Operation):
                draft.operations[name] = value
                draft.owners[name] = declaration
            elif name in draft.operations:
                del draft.operations[name]  # browse = None takes away what an abstract base offers
            elif isinstance(value, FieldDeclaration | RelationDeclaration) and name not in declaration.annotations:
                self.report.add(
                    attribute_source(declaration.source, declaration.name, name),
                    "SP203",
                    f"{declaration.name}.{name}: the field has no type",
                    f"write {name}: str = field(…)"
                    if isinstance(value, FieldDeclaration)
                    else f"write {name}: {'One' if value.form == 'one' else 'Many'}[…] = {value.form}(…)",
                )

    def _compile_fields(self, draft: Draft) -> None:
        compiler = FieldCompiler(draft.declaration, self.report)
        draft.fields["id"] = compiler.key(draft.declaration.attributes.get("id"), external=self.external)
        for name, found in draft.types.items():
            declared = draft.declared[name]
            compiler = FieldCompiler(draft.owners[name], self.report)
            if isinstance(found, RelationType):
                self._compile_relation(name, found, declared, compiler, draft)
            else:
                field = self.scalar(compiler, name, found, declared)
                if field is not None:
                    self._add_field(draft, field, compiler)

    def scalar(self, compiler: FieldCompiler, name: str, found: FieldType, declared: Any) -> FieldPlan | None:
        """A value of a resource or of a payload; None after a diagnostic."""
        if declared is None or isinstance(declared, FieldDeclaration):
            return compiler.scalar(name, declared or FieldDeclaration(), found)
        path = f"{compiler.declaration.name}.{name}"
        if isinstance(declared, RelationDeclaration):
            self._mismatch(name, compiler)
        elif isinstance(declared, Operation):
            self.report.add(
                compiler.where(name),
                "SP212",
                f"{path}: an operation is assigned to an attribute that has a type",
                f"remove the type: {name} = {shown(declared)}",
            )
        else:
            self.report.add(
                compiler.where(name),
                "SP212",
                f"{path}: the plain value {shown(declared)} is assigned where field() is needed",
                f"write field(default={shown(declared)})",
            )
        return None

    def _compile_relation(
        self, name: str, found: RelationType, declared: Any, compiler: FieldCompiler, draft: Draft
    ) -> None:
        form = "one" if found.form == "one" else "many"
        if declared is not None and not (isinstance(declared, RelationDeclaration) and declared.form == form):
            self._mismatch(name, compiler)
            return
        compiler.check_name(name)
        options = compiler.typed(name, declared.options if declared else {}, ONE if form == "one" else MANY)
        draft.relations.append(Relation(name, found, options, draft.owners[name]))
        if form == "one":
            key = compiler.reference(name, found.target, found.nullable, options)
            if key.name in draft.types:
                self.report.add(
                    compiler.where(key.name),
                    "SP309",
                    f"{draft.declaration.name}.{key.name}: the relation {name} already creates this field",
                    f"remove {key.name}; {name}: One[{found.target}] is enough",
                )
            else:
                self._add_field(draft, key, compiler)

    def _add_field(self, draft: Draft, field: FieldPlan, compiler: FieldCompiler) -> None:
        for other in draft.fields.values():
            if other.public_name == field.public_name and other.name != field.name:
                self.report.add(
                    compiler.where(field.name),
                    "SP210",
                    f"{draft.declaration.name}.{field.name}: "
                    f"its name in JSON, {field.public_name}, is already used by {other.name}",
                    "rename one of the two",
                )
        draft.fields[field.name] = field

    def _mismatch(self, name: str, compiler: FieldCompiler) -> None:
        self.report.add(
            compiler.where(name),
            "SP308",
            f"{compiler.declaration.name}.{name}: its value does not match its type",
            "use one() with One[…], many() with Many[…] or Owned[…], and field() with plain types",
        )

    def _check_owner(self, draft: Draft) -> None:
        owner = draft.declaration.keywords.get("owner")
        if owner is None:
            return
        field = draft.fields.get(owner) if isinstance(owner, str) else None
        if field is None:
            self.report.add(
                draft.keyword("owner"),
                "SP104",
                f"{draft.name}: the owner field {shown(owner)} does not exist",
                f"name one of {listed(draft.fields)}",
            )
        elif field.kind not in ("id", "string", "uuid"):
            self.report.add(
                draft.keyword("owner"),
                "SP105",
                f"{draft.name}: the owner field {owner!r} is {a(field.kind)}, which cannot hold a caller's id",
                'use "id", a reference such as "user_id", or a str',
            )

    def _compile_tenant(self, draft: Draft) -> None:
        """The server sets the tenant field, so clients cannot write it."""
        tenant = draft.declaration.keywords.get("tenant")
        if tenant is None:
            return
        field = draft.fields.get(tenant) if isinstance(tenant, str) else None
        if field is None:
            self.report.add(
                draft.keyword("tenant"),
                "SP040",
                f"{draft.name}: the tenant field {shown(tenant)} does not exist",
                f"name one of {listed(name for name in draft.fields if name != 'id')}",
            )
            return
        problem = _unfit_for_tenant(field)
        if problem is not None:
            self.report.add(
                draft.keyword("tenant"),
                "SP041",
                f"{draft.name}: the tenant field {tenant!r} {problem}",
                'name a required field without default: a reference such as "organization_id", a str or a UUID',
            )
            return
        draft.fields[field.name] = replace(field, write="never", required=False, generated="tenant")

    def _compile_soft_delete(self, draft: Draft) -> None:
        """Soft delete adds one field: when the row was deleted."""
        wanted = draft.declaration.keywords.get("soft_delete", False)
        if not isinstance(wanted, bool):
            problem, fix = f"soft_delete={shown(wanted)} is not True or False", "write soft_delete=True"
        elif wanted and self.external:
            problem, fix = (
                "soft_delete adds a column, but Sternpost changes no tables of an external database",
                "remove soft_delete",
            )
        elif wanted and (DELETED in draft.types or DELETED in draft.fields):
            problem, fix = f"soft_delete already creates the field {DELETED}", f"remove or rename {DELETED}"
        else:
            problem = fix = ""
        if problem:
            self.report.add(draft.keyword("soft_delete"), "SP060", f"{draft.name}: {problem}", fix)
        elif wanted:
            draft.fields[DELETED] = FieldPlan(
                name=DELETED,
                public_name=camel(DELETED),
                kind="datetime",
                nullable=True,
                write="never",
                description="When the row was deleted",
                hidden=True,
                generated="deleted",
            )

    def _check_audit(self, draft: Draft) -> None:
        wanted = draft.declaration.keywords.get("audit", False)
        if not isinstance(wanted, bool):
            problem, fix = f"audit={shown(wanted)} is not True or False", "write audit=True"
        elif wanted and self.external:
            problem = "audit adds a table and triggers, but Sternpost adds nothing to an external database"
            fix = "remove audit"
        else:
            return
        self.report.add(draft.keyword("audit"), "SP031", f"{draft.name}: {problem}", fix)

    def _check_version(self, draft: Draft) -> None:
        """At most one field counts the changes. Everyone who sees the row sees it, because it is part of the ETag."""
        counted = [field for field in draft.fields.values() if field.generated == "version"]
        if not counted:
            return
        first, *more = counted
        if first.nullable:
            problem, fix = "counts from 1, so it can never be null", "remove | None"
        elif first.read_scope is not None:
            problem, fix = "is part of the row's ETag, so everyone who sees the row can see it", "remove read"
        else:
            problem = fix = None
        if problem is not None and fix is not None:
            where = draft.where(first.name, "read" if first.read_scope else None)
            self.report.add(where, "SP050", f"{draft.name}.{first.name}: the version {problem}", fix)
        for field in more:
            self.report.add(
                draft.where(field.name, "auto"),
                "SP050",
                f"{draft.name}.{field.name}: {first.name} already counts the changes",
                "keep one of the two",
            )

    def _check_unique_groups(self, draft: Draft) -> None:
        given: Any = draft.declaration.keywords.get("unique", ())
        text = shown(given)
        groups = [*cast("list[Any]", given)] if isinstance(given, list | tuple) else None
        fix = f'write unique=[("a", "b")] with some of {listed(draft.fields)}'
        if groups is None or (groups and is_names(groups)):
            self.report.add(
                draft.keyword("unique"), "SP107", f"{draft.name}: unique={text} is not a list of tuples", fix
            )
            return
        for group in groups:
            if not _is_group(group, draft):
                self.report.add(
                    draft.keyword("unique"),
                    "SP107",
                    f"{draft.name}: the unique group {shown(group)} is not a tuple of different fields of the resource",
                    fix,
                )
            elif any(draft.fields[name].kind == "json" for name in group):
                self.report.add(
                    draft.keyword("unique"),
                    "SP213",
                    f"{draft.name}: the unique group {shown(group)} contains a json field, which cannot be unique",
                    "leave it out of the group",
                )

    def _check_indexes(self, draft: Draft) -> None:
        given: Any = draft.declaration.keywords.get("indexes", ())
        fix = f'write indexes=[("a", "-b")] with some of {listed(draft.fields)}; a leading - means descending'
        text = shown(given)
        groups = [*cast("list[Any]", given)] if isinstance(given, list | tuple) else None
        if groups is None or (groups and is_names(groups)):
            message = f"{draft.name}: indexes={text} is not a list of tuples"
            self.report.add(draft.keyword("indexes"), "SP030", message, fix)
            return
        for group in groups:
            names = [name.removeprefix("-") for name in group] if is_names(group) else None
            if names is None or not _is_group(names, draft):
                problem = f"the index {shown(group)} is not a tuple of different fields of the resource"
            elif any(draft.fields[name].kind == "json" for name in names):
                problem = f"the index {shown(group)} contains a json field, which cannot be sorted"
            elif groups.index(group) != len(groups) - 1 - groups[::-1].index(group):
                problem = f"the index {shown(group)} is declared twice"
            elif self.external:
                problem, fix = "Sternpost adds no indexes to an external database", "remove indexes"
            else:
                continue
            self.report.add(draft.keyword("indexes"), "SP030", f"{draft.name}: {problem}", fix)

    def indexes(self, draft: Draft) -> tuple[tuple[str, ...], ...]:
        """The declared indexes that are valid."""
        given: Any = draft.declaration.keywords.get("indexes", ())
        if not isinstance(given, list | tuple):
            return ()
        groups = [tuple(group) for group in cast("list[Any]", given) if is_names(group)]
        return tuple(group for group in groups if _is_group([name.removeprefix("-") for name in group], draft))

    def unique_groups(self, draft: Draft) -> tuple[tuple[str, ...], ...]:
        given: Any = draft.declaration.keywords.get("unique", ())
        if not isinstance(given, list | tuple):
            return ()
        return tuple(tuple(group) for group in cast("list[Any]", given) if _is_group(group, draft))


def _unfit_for_tenant(field: FieldPlan) -> str | None:
    if field.name == "id":
        return "is the row's own id"
    if field.kind not in ("id", "string", "uuid"):
        return f"is {a(field.kind)}, which cannot hold a tenant"
    if field.nullable:
        return "may be null"
    if field.generated is not None or field.computed is not None:
        return "is already set by something else (computed or auto)"
    if field.default is not None or field.caller_default:
        return "has a default"
    return "is optional" if field.on_delete == "set_null" else None


def _is_group(group: Any, draft: Draft) -> bool:
    return (
        is_names(group)
        and len(group) > 0
        and len(set(group)) == len(group)
        and all(name in draft.fields for name in group)
    )
