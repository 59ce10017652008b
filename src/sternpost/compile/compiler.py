"""Compiles a contract: reads every declaration, collects every mistake, and builds the plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.fields import FieldCompiler
from sternpost.compile.names import kebab, plural, snake
from sternpost.compile.operations import OperationCompiler
from sternpost.compile.policies import Known, PolicyCompiler
from sternpost.compile.relations import Relation, RelationCompiler
from sternpost.compile.services import bind
from sternpost.compile.types import FieldType, RelationType, read_type
from sternpost.contract.contract import Contract
from sternpost.contract.fields import FieldDeclaration
from sternpost.contract.operations import Operation
from sternpost.contract.policy import BOOLEAN_MISUSE
from sternpost.contract.relations import RelationDeclaration
from sternpost.contract.resource import Declaration, Declared, Payload, Resource, declarations
from sternpost.contract.source import Source, attribute_source, class_keyword_source
from sternpost.plan.model import FieldPlan, OperationPlan, PayloadPlan, Plan, ResourcePlan

_KEYWORDS = {"prefix", "owner", "plural", "table", "unique", "abstract"}
_PREFIX = re.compile(r"[a-z]{2,8}")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Compiled:
    """What compiling gives: the plan, the authors' functions, the authors' classes, and where each was declared."""

    plan: Plan
    functions: dict[str, Callable[..., Any]]
    classes: dict[str, type]
    places: dict[str, Source]


@dataclass
class _Draft:
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


def compile_contract(contract: Contract, services: Iterable[ModuleType | Callable[..., Any]] = ()) -> Compiled:
    """Compiles `contract` and binds the functions found in `services`.

    Raises:
        ContractError: the contract has mistakes; all of them are in it.
    """
    return _Compiler(contract).compile(services)


class _Compiler:
    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.report = Report()
        self.payloads: dict[type, PayloadPlan] = {}

    def compile(self, services: Iterable[ModuleType | Callable[..., Any]]) -> Compiled:
        self._check_contract()
        classes = self._collect()
        drafts = {name: self._draft(cls, classes) for name, cls in classes.items()}
        self._check_collisions(drafts)
        relations = RelationCompiler({name: (draft.declaration, draft.relations, draft.fields) for name, draft in drafts.items()}, self.report)
        relation_plans = relations.compile_all({name: draft.table for name, draft in drafts.items()},
                                               {name: bool(draft.operations) for name, draft in drafts.items()})
        known = {name: self._known(draft) for name, draft in drafts.items()}
        ids: dict[int, str] = {}
        resources: list[ResourcePlan] = []
        for name, draft in drafts.items():
            operations = self._operations(name, draft, known)
            ids.update({id(declared): plan.id for declared, plan in zip(draft.operations.values(), operations, strict=True)})
            self._check_route_collisions(draft, operations, relation_plans[name])
            resources.append(self._resource(name, draft, relation_plans[name], relations.owner_of.get(name), operations))
        plan = Plan(
            name=self.contract.name, title=self.contract.title or self.contract.name.replace("-", " ").title(),
            description=self.contract.description, version=self.contract.version, api_version=self.contract.api_version,
            base_path=f"/api/{self.contract.api_version}", resources=tuple(resources),
        )
        places = {name: draft.declaration.source for name, draft in drafts.items()}
        bound, functions = bind(plan, services, ids, places, self.report)
        self.report.raise_if_any()
        all_classes: dict[str, type] = {**classes, **{payload.name: cls for cls, payload in self.payloads.items()}}
        return Compiled(bound, functions, all_classes, places)

    # -- the contract as a whole

    def _check_contract(self) -> None:
        contract = self.contract
        if not _NAME.fullmatch(contract.name):
            self.report.add(contract.source, "SP001", f"the contract's name {contract.name!r} is malformed", 'use lower case and dashes, such as "user-service"')
        if not re.fullmatch(r"v[1-9][0-9]*", contract.api_version):
            self.report.add(contract.source, "SP005", f"the API version {contract.api_version!r} is malformed", 'use "v1", "v2", …')
        if not contract.resources:
            self.report.add(contract.source, "SP002", "the contract lists no resource", "write Contract(…, resources=[User, …])")

    def _collect(self) -> dict[str, type[Resource]]:
        classes: dict[str, type[Resource]] = {}
        for item in self.contract.resources:
            if not (isinstance(item, type) and issubclass(item, Resource) and item is not Resource):
                self.report.add(self.contract.source, "SP004", f"{item!r} in resources is not a resource", "list classes that derive from Resource")
            elif item.__name__ in classes:
                self.report.add(item.__declaration__.source, "SP003", f"two resources are named {item.__name__}", "rename one, or list it once")
            else:
                classes[item.__name__] = item
        return classes

    def _check_collisions(self, drafts: dict[str, _Draft]) -> None:
        seen: dict[tuple[str, str], str] = {}
        for name, draft in drafts.items():
            for code, what, value in (("SP006", "table", draft.table), ("SP006", "address", draft.path),
                                      ("SP007", "id prefix", str(draft.declaration.keywords.get("prefix")))):
                other = seen.setdefault((what, value), name)
                if other != name and value != "None":
                    self.report.add(draft.declaration.source, code, f"{name}: its {what} {value!r} is that of {other} already",
                                    'choose another prefix="…"' if code == "SP007" else 'choose another plural="…" or table="…"')

    # -- one resource

    def _draft(self, cls: type[Resource], classes: dict[str, type[Resource]]) -> _Draft:
        own = cls.__declaration__
        self._check_keywords(own)
        words = plural(snake(own.name)) if "plural" not in own.keywords else str(own.keywords["plural"])
        draft = _Draft(cls, own, str(own.keywords.get("table", words.replace("-", "_"))), kebab(words), {}, {}, {}, {}, [], {})
        for declaration in declarations(cls, Resource):
            self._read_declaration(declaration, draft, classes)
        self._compile_fields(draft)
        if not draft.types:
            self.report.add(own.source, "SP106", f"{own.name} has no field", "declare at least one, such as name: str")
        self._check_owner(draft)
        self._check_unique_groups(draft)
        return draft

    def _check_keywords(self, declaration: Declaration) -> None:
        name, keywords = declaration.name, declaration.keywords
        for keyword in keywords:
            if keyword not in _KEYWORDS:
                self.report.add(class_keyword_source(declaration.source, name, keyword), "SP101", f"{name}: the class keyword {keyword!r} is unknown",
                                f"use one of {', '.join(sorted(_KEYWORDS))}")
        prefix = keywords.get("prefix")
        if prefix is None:
            self.report.add(declaration.source, "SP102", f"{name} has no id prefix", f'write class {name}(Resource, prefix="{name[:3].lower()}")')
        elif not (isinstance(prefix, str) and _PREFIX.fullmatch(prefix)):
            self.report.add(class_keyword_source(declaration.source, name, "prefix"), "SP103", f"{name}: the id prefix {prefix!r} is malformed",
                            "use 2 to 8 lower-case letters")

    def _read_declaration(self, declaration: Declaration, draft: _Draft, classes: dict[str, type[Resource]]) -> None:
        for place in declaration.attributes.get(BOOLEAN_MISUSE, ()):
            self.report.add(place, "SP501", f"{declaration.name}: and, or or not stands between policies, where Python would drop one side",
                            "use & instead of and, | instead of or, ~ instead of not")
        for name in declaration.annotations:
            if name == "id" or name.startswith("__"):
                continue
            found = read_type(declaration, name, cast("dict[str, type]", classes), self.report)
            if found is not None:
                draft.types[name] = found
                draft.declared[name] = declaration.attributes.get(name)
                draft.owners[name] = declaration
        for name, value in declaration.attributes.items():
            if isinstance(value, Operation):
                draft.operations[name] = value
            elif isinstance(value, FieldDeclaration | RelationDeclaration) and name not in declaration.annotations:
                self.report.add(attribute_source(declaration.source, declaration.name, name), "SP203", f"{declaration.name}.{name}: the field has no type",
                                f"write {name}: str = field(…)")

    def _compile_fields(self, draft: _Draft) -> None:
        draft.fields["id"] = _id_field(draft.declaration.name)
        for name, found in draft.types.items():
            declared = draft.declared[name]
            compiler = FieldCompiler(draft.owners[name], self.report)
            if isinstance(found, RelationType):
                self._compile_relation(name, found, declared, compiler, draft)
            elif declared is None or isinstance(declared, FieldDeclaration):
                self._add_field(draft, compiler.scalar(name, declared or FieldDeclaration(), found), compiler)
            elif isinstance(declared, RelationDeclaration):
                self._mismatch(name, compiler, draft)
            else:
                self.report.add(compiler.where(name), "SP212", f"{draft.declaration.name}.{name}: the value {declared!r} stands where field() belongs",
                                f"write field(default={declared!r})")

    def _compile_relation(self, name: str, found: RelationType, declared: Any, compiler: FieldCompiler, draft: _Draft) -> None:
        form = "one" if found.form == "one" else "many"
        if declared is not None and not (isinstance(declared, RelationDeclaration) and declared.form == form):
            self._mismatch(name, compiler, draft)
            return
        options: dict[str, Any] = declared.options if declared else {}
        draft.relations.append(Relation(name, found, options, draft.owners[name]))
        if form == "one":
            key = compiler.reference(name, found.target, found.nullable, options)
            if key.name in draft.types:
                self.report.add(compiler.where(key.name), "SP309", f"{draft.declaration.name}.{key.name}: the relation {name} makes this field already",
                                f"remove {key.name}; {name}: One[{found.target}] is enough")
            else:
                self._add_field(draft, key, compiler)

    def _add_field(self, draft: _Draft, field: FieldPlan, compiler: FieldCompiler) -> None:
        for other in draft.fields.values():
            if other.public_name == field.public_name and other.name != field.name:
                self.report.add(compiler.where(field.name), "SP210", f"{draft.declaration.name}.{field.name}: its name in JSON, {field.public_name}, is that of {other.name} already",
                                "rename one of the two")
        draft.fields[field.name] = field

    def _mismatch(self, name: str, compiler: FieldCompiler, draft: _Draft) -> None:
        self.report.add(compiler.where(name), "SP308", f"{draft.declaration.name}.{name}: its value does not match its type",
                        "use one() with One[…], many() with Many[…] or Owned[…], and field() with plain types")

    def _check_owner(self, draft: _Draft) -> None:
        owner = draft.declaration.keywords.get("owner")
        if owner is None:
            return
        where = class_keyword_source(draft.declaration.source, draft.declaration.name, "owner")
        field = draft.fields.get(owner)
        if field is None:
            self.report.add(where, "SP104", f"{draft.declaration.name}: the owner field {owner!r} does not exist", f"name one of {', '.join(draft.fields)}")
        elif field.kind not in ("id", "string", "uuid"):
            self.report.add(where, "SP105", f"{draft.declaration.name}: the owner field {owner!r} is a {field.kind} and cannot hold a caller's id",
                            'use "id", a reference such as "user_id", or a str')

    def _check_unique_groups(self, draft: _Draft) -> None:
        for group in draft.declaration.keywords.get("unique", ()):
            wrong = isinstance(group, str) or any(name not in draft.fields for name in group)
            if wrong:
                self.report.add(class_keyword_source(draft.declaration.source, draft.declaration.name, "unique"), "SP107",
                                f"{draft.declaration.name}: the unique group {group!r} is not a tuple of its fields",
                                f'write unique=[("a", "b")] with some of {", ".join(draft.fields)}')

    def _known(self, draft: _Draft) -> Known:
        references = {relation.name: relation.type.target for relation in draft.relations if relation.type.form == "one"}
        owner = draft.declaration.keywords.get("owner")
        return Known(draft.fields, references, owner if owner in draft.fields else None)

    def _operations(self, name: str, draft: _Draft, known: dict[str, Known]) -> tuple[OperationPlan, ...]:
        policies = PolicyCompiler(name, known, self.report)
        compiler = OperationCompiler(draft.declaration, draft.path, draft.fields, policies, self._payload, f"/api/{self.contract.api_version}", self.report)
        return compiler.compile_all(draft.operations)

    def _check_route_collisions(self, draft: _Draft, operations: tuple[OperationPlan, ...], relations: tuple[Any, ...]) -> None:
        routes = {relation.public_name: relation.name for relation in relations if relation.nested_route}
        for operation in operations:
            last = operation.path.rsplit("/", 1)[-1]
            if operation.on_item and operation.method == "GET" and last in routes:
                self.report.add(attribute_source(draft.declaration.source, draft.declaration.name, operation.name), "SP413",
                                f"{draft.declaration.name}.{operation.name}: GET {operation.path} is the list of {routes[last]} already", "rename the operation, or write many(route=False)")

    def _payload(self, cls: type[Declared]) -> PayloadPlan:
        if cls not in self.payloads:
            fields: list[FieldPlan] = []
            for declaration in declarations(cls, Payload):
                compiler = FieldCompiler(declaration, self.report)
                for name in declaration.annotations:
                    found = read_type(declaration, name, {}, self.report)
                    declared = declaration.attributes.get(name)
                    if isinstance(found, RelationType):
                        self._not_in_payload(declaration, name, found.target)
                    elif found is not None:
                        fields.append(compiler.scalar(name, declared or FieldDeclaration(), found))
            self.payloads[cls] = PayloadPlan(cls.__name__, tuple(fields), _doc(cls))
        return self.payloads[cls]

    def _not_in_payload(self, declaration: Declaration, name: str, target: str) -> None:
        self.report.add(attribute_source(declaration.source, declaration.name, name), "SP202", f"{declaration.name}.{name}: a Payload has no relations",
                        f"take the id as text: {name}_id: str, and read the {target} with its repository")

    def _resource(self, name: str, draft: _Draft, relations: tuple[Any, ...], owned_by: str | None, operations: tuple[OperationPlan, ...]) -> ResourcePlan:
        keywords = draft.declaration.keywords
        groups = tuple(tuple(group) for group in keywords.get("unique", ()) if not isinstance(group, str))
        return ResourcePlan(
            name=name, table=draft.table, path=draft.path, prefix=str(keywords.get("prefix")), description=_doc(draft.cls),
            owner_field=keywords.get("owner"), owned_by=owned_by, position_column="position" if owned_by else None,
            fields=tuple(draft.fields.values()), relations=relations, operations=operations, unique_together=groups,
        )


def _doc(cls: type) -> str:
    return " ".join((cls.__dict__.get("__doc__") or "").split())


def _id_field(resource: str) -> FieldPlan:
    return FieldPlan(
        name="id", public_name="id", kind="id", nullable=False, required=False, default=None, write="never",
        description="", read_scope=None, hidden=False, sensitive=False, unique=False, generated="id", caller_default=False, computed=None,
        min_length=None, max_length=None, pattern=None, format=None, minimum=None, maximum=None, decimal_places=None,
        max_digits=None, choices=(), references=resource, on_delete=None, filters=(),
    )


