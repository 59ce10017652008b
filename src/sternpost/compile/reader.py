"""Reads the classes of a contract: what each declares, with every field checked and every mistake reported."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, cast

from sternpost.compile.database_names import table_problem
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import Relation, ResourceDraft
from sternpost.compile.features import CLASS_KEYWORDS, FEATURES
from sternpost.compile.features.external import key
from sternpost.compile.fields import FieldCompiler
from sternpost.compile.groups import read_groups
from sternpost.compile.names import PASCAL, a, kebab, listed, matches, plural, snake
from sternpost.compile.operations import OPERATIONS
from sternpost.compile.options import MANY, ONE, hidden_by, shown
from sternpost.compile.types import FieldType, RelationType, read_type
from sternpost.contract.fields import UNSET, FieldDeclaration
from sternpost.contract.operations import Operation
from sternpost.contract.policy import BOOLEAN_MISUSE, Policy
from sternpost.contract.relations import RelationDeclaration
from sternpost.contract.resource import Declaration, Payload, Resource, declarations
from sternpost.contract.source import attribute_source, class_keyword_source
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, PayloadPlan

_KEYWORDS = {"prefix", "owner", "plural", "table", "unique", "indexes", "abstract", *CLASS_KEYWORDS}
_PREFIX = re.compile(r"[a-z]{2,8}")
_PLURAL = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


class ClassReader:
    """Reads one class after another; mistakes go to `report`."""

    def __init__(self, report: Report, *, external: bool = False) -> None:
        self.report = report
        self.external = external
        self.payloads = Payloads(self)
        self.names: tuple[str, ...] = ()
        """Those of the contract's resources, which no payload may have."""

    def read(self, cls: type[Resource], classes: dict[str, type[Resource]]) -> ResourceDraft:
        own = cls.__declaration__
        self._check_keywords(own)
        words = self._name(own, "plural", plural(snake(own.name)) or "things").replace("-", "_")
        draft = ResourceDraft(cls, own, self._name(own, "table", words), kebab(words), self.external)
        for declaration in declarations(cls, Resource):
            self._read_declaration(declaration, draft, classes)
        self._compile_fields(draft)
        if not draft.types and not any(
            declaration.annotations.keys() - {"id"} for declaration in declarations(cls, Resource)
        ):
            self.report.add(own.source, "SP106", f"{own.name} has no field", "declare at least one, such as name: str")
        self._check_owner(draft)
        read_groups(draft, self.report)
        for feature in FEATURES:
            feature.read(draft, self.report)
        return draft

    def _name(self, declaration: Declaration, keyword: str, otherwise: str) -> str:
        """The plural or the table that a class gives itself."""
        given = declaration.keywords.get(keyword, otherwise)
        if keyword == "table":
            problem = table_problem(given, external=self.external)
        else:
            known = matches(_PLURAL, given)
            problem = (
                None if known else ("is malformed", 'use lower case and underscores, such as plural="order_items"')
            )
        if problem is None:
            return given
        if keyword in declaration.keywords or (keyword == "table" and PASCAL.fullmatch(declaration.name)):
            what = f"{keyword}={shown(given)}" if keyword in declaration.keywords else f"its table {given!r}"
            self.report.add(
                class_keyword_source(declaration.source, declaration.name, keyword),
                "SP108",
                f"{declaration.name}: {what} {problem[0]}",
                problem[1],
            )
        return otherwise

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

    def _read_declaration(
        self, declaration: Declaration, draft: ResourceDraft, classes: dict[str, type[Resource]]
    ) -> None:
        for place in declaration.attributes.get(BOOLEAN_MISUSE, ()):
            self.report.add(
                place,
                "SP501",
                f"{declaration.name}: a policy is used with and, or, not, if or in, "
                "so Python would ignore a part of it",
                "use & instead of and, | instead of or, ~ instead of not, "
                "and several comparisons joined by | instead of in",
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
            if isinstance(value, Operation) and not isinstance(value, tuple(OPERATIONS)):
                self.report.add(
                    attribute_source(declaration.source, declaration.name, name),
                    "SP421",
                    f"{declaration.name}.{name}: {shown(value)} is not one of the operation types",
                    f"use one of {listed(kind.__name__ for kind in OPERATIONS)}",
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

    def _compile_fields(self, draft: ResourceDraft) -> None:
        draft.fields["id"] = key(draft.declaration, self.report, external=self.external)
        for name, found in draft.types.items():
            declared = draft.declared[name]
            compiler = self.fields_of(draft.owners[name])
            if isinstance(found, RelationType):
                self._compile_relation(name, found, declared, compiler, draft)
            else:
                field = self.scalar(compiler, name, found, declared)
                if field is not None:
                    self._add_field(draft, field, compiler)

    def fields_of(self, declaration: Declaration) -> FieldCompiler:
        """The compiler of the fields of one class."""
        return FieldCompiler(declaration, self.report, self.payloads.of, external=self.external)

    def scalar(self, compiler: FieldCompiler, name: str, found: FieldType, declared: Any) -> FieldPlan | None:
        """A value of a resource or of a payload; None after a diagnostic."""
        if declared is None or isinstance(declared, FieldDeclaration):
            return compiler.scalar(name, declared or FieldDeclaration(), found)
        path = f"{compiler.declaration.name}.{name}"
        hidden = hidden_by(declared)
        if isinstance(declared, Policy) and hidden is not None:
            self._add_hidden(name, compiler, hidden)
        elif isinstance(declared, RelationDeclaration):
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
        self, name: str, found: RelationType, declared: Any, compiler: FieldCompiler, draft: ResourceDraft
    ) -> None:
        form = "one" if found.form == "one" else "many"
        hidden = hidden_by(declared)
        if isinstance(declared, Policy) and hidden is not None:
            self._add_hidden(name, compiler, hidden)
            return
        if declared is not None and not (isinstance(declared, RelationDeclaration) and declared.form == form):
            self._mismatch(name, compiler)
            return
        compiler.check_name(name)
        options = compiler.typed(name, declared.options if declared else {}, ONE if form == "one" else MANY)
        draft.relations.append(Relation(name, found, options, draft.owners[name]))
        if form == "one":
            reference = compiler.reference(name, found.target, found.nullable, options)
            if reference.name in draft.types:
                self.report.add(
                    compiler.where(reference.name),
                    "SP309",
                    f"{draft.declaration.name}.{reference.name}: the relation {name} already creates this field",
                    f"remove {reference.name}; {name}: One[{found.target}] is enough",
                )
            else:
                self._add_field(draft, reference, compiler)

    def _add_field(self, draft: ResourceDraft, field: FieldPlan, compiler: FieldCompiler) -> None:
        for other in draft.shown:
            if other.public_name == field.public_name and other.name != field.name:
                self.report.add(
                    compiler.where(field.name),
                    "SP210",
                    f"{draft.declaration.name}.{field.name}: "
                    f"its name in JSON, {field.public_name}, is already used by {other.name}",
                    "rename one of the two",
                )
        if field.derived is None:
            draft.fields[field.name] = field
        else:
            draft.computed[field.name] = field

    def _add_hidden(self, name: str, compiler: FieldCompiler, hidden: tuple[str, str, str]) -> None:
        code, message, fix = hidden
        self.report.add(compiler.where(name), code, f"{compiler.declaration.name}.{name}: {message}", fix)

    def _mismatch(self, name: str, compiler: FieldCompiler) -> None:
        self.report.add(
            compiler.where(name),
            "SP308",
            f"{compiler.declaration.name}.{name}: its value does not match its type",
            "use one() with One[…], many() with Many[…] or Owned[…], and field() with plain types",
        )

    def _check_owner(self, draft: ResourceDraft) -> None:
        owner = draft.keyword("owner")
        if owner is None:
            return
        field = draft.fields.get(owner) if isinstance(owner, str) else None
        if field is None:
            self.report.add(
                draft.where_keyword("owner"),
                "SP104",
                f"{draft.name}: the owner field {shown(owner)} does not exist",
                f"name one of {listed(draft.fields)}",
            )
        elif not KINDS[field.kind].identifies:
            self.report.add(
                draft.where_keyword("owner"),
                "SP105",
                f"{draft.name}: the owner field {owner!r} is {a(field.kind)}, which cannot hold a caller's id",
                'use "id", a reference such as "user_id", or a str',
            )


OF_ROWS = ("unique", "write", "read", "auto", "column", "storage")
"""Options of fields that only fields of a resource can have."""


class Payloads:
    """Reads the payloads of a contract, each once."""

    def __init__(self, reader: ClassReader) -> None:
        self.reader = reader
        self.found: dict[type, PayloadPlan] = {}
        self._open: list[type] = []

    def of(self, cls: type[Any]) -> PayloadPlan:
        """What a payload consists of; a part of it after a diagnostic."""
        if cls in self._open:
            self._recursive(cls)
            return PayloadPlan(cls.__name__, (), "")
        if cls not in self.found:
            self._open.append(cls)
            fields = self._fields(cls)
            self._open.pop()
            self._check_name(cls)
            self.found[cls] = PayloadPlan(cls.__name__, fields, documentation(cls))
        return self.found[cls]

    def _fields(self, cls: type[Any]) -> tuple[FieldPlan, ...]:
        fields: dict[str, FieldPlan] = {}
        for declaration in declarations(cls, Payload):
            self.reader.check_class(declaration, set())
            compiler = self.reader.fields_of(declaration)
            for name in declaration.annotations:
                found = read_type(declaration, name, {}, self.reader.report)
                if isinstance(found, RelationType):
                    self._not_here(declaration, name, found.target)
                elif found is not None:
                    declared = declaration.attributes.get(name)
                    self._check_options(declaration, name, declared)
                    field = self.reader.scalar(compiler, name, found, declared)
                    if field is not None and field.derived is not None:
                        self._not_of_rows(declaration, name)
                    fields.update({name: _as_tag(field)} if field else {})
        return tuple(fields.values())

    def _recursive(self, cls: type[Any]) -> None:
        way = " in ".join(each.__name__ for each in reversed([*self._open[self._open.index(cls) :], cls]))
        self.reader.report.add(
            cls.__declaration__.source,
            "SP224",
            f"{cls.__name__} contains itself: {way}",
            "use Json where the depth is not known, or a resource that refers to itself",
        )

    def _check_name(self, cls: type[Any]) -> None:
        others = (*self.reader.names, *(other.__name__ for other in self.found))
        if cls.__name__ in others:
            self.reader.report.add(
                cls.__declaration__.source, "SP003", f"two classes are named {cls.__name__}", "rename one of the two"
            )

    def _check_options(self, declaration: Declaration, name: str, declared: Any) -> None:
        """Reports options that say something of a row, or of its column."""
        own = isinstance(declared, FieldDeclaration) and declared.computed is UNSET
        options = declared.options if own else {}
        given = [option for option in OF_ROWS if options.get(option) not in (None, False)]
        if given:
            self.reader.report.add(
                attribute_source(declaration.source, declaration.name, name),
                "SP227",
                f"{declaration.name}.{name}: a field of a Payload has no column, and cannot have {listed(given)}",
                f"remove {'it' if len(given) == 1 else 'them'}; a field that holds the Payload can have what fits it",
            )

    def _not_of_rows(self, declaration: Declaration, name: str) -> None:
        self.reader.report.add(
            attribute_source(declaration.source, declaration.name, name),
            "SP080",
            f"{declaration.name}.{name}: a Payload is no row, of which something could be computed",
            "give it a plain type, and let the function that makes the payload set it",
        )

    def _not_here(self, declaration: Declaration, name: str, target: str) -> None:
        self.reader.report.add(
            attribute_source(declaration.source, declaration.name, name),
            "SP202",
            f"{declaration.name}.{name}: a Payload cannot have relations",
            f"declare the id as text, {name}_id: str, and read the {target} with its repository",
        )


def _as_tag(field: FieldPlan) -> FieldPlan:
    """A field with one value tells clients what they have, so that it is always there."""
    return replace(field, required=True, default=None) if len(field.choices) == 1 and not field.nullable else field


def documentation(cls: type) -> str:
    """The text of a class, in one line."""
    return " ".join((cls.__dict__.get("__doc__") or "").split())
