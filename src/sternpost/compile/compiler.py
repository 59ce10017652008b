"""Compiles a contract: reads every declaration, collects every mistake, and builds the plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.fields import FieldCompiler, a
from sternpost.compile.names import PASCAL, SNAKE, kebab, listed, plural, snake
from sternpost.compile.operations import KINDS, OperationCompiler
from sternpost.compile.options import CONTRACT, MANY, ONE, is_names, shown, well_typed
from sternpost.compile.policies import Known, PolicyCompiler
from sternpost.compile.relations import Relation, RelationCompiler, Side
from sternpost.compile.services import bind
from sternpost.compile.types import FieldType, RelationType, read_type
from sternpost.contract.contract import Contract
from sternpost.contract.fields import FieldDeclaration
from sternpost.contract.operations import Operation
from sternpost.contract.policy import BOOLEAN_MISUSE
from sternpost.contract.relations import RelationDeclaration
from sternpost.contract.resource import Declaration, Declared, Payload, Resource, declarations
from sternpost.contract.source import Source, attribute_source, call_keyword_source, class_keyword_source
from sternpost.plan.model import FieldPlan, OperationPlan, PayloadPlan, Plan, RelationPlan, ResourcePlan

_KEYWORDS = {"prefix", "owner", "plural", "table", "unique", "abstract"}
_PREFIX = re.compile(r"[a-z]{2,8}")
_API_VERSION = re.compile(r"v[1-9][0-9]*")
_PLURAL = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
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
        self.resources: dict[str, type[Resource]] = {}

    def compile(self, services: Iterable[ModuleType | Callable[..., Any]]) -> Compiled:
        self._check_contract()
        classes = self.resources = self._collect()
        drafts = {name: self._draft(cls, classes) for name, cls in classes.items()}
        self._check_collisions(drafts)
        relations = RelationCompiler(
            {name: Side(draft.name, draft.where, draft.relations, draft.fields) for name, draft in drafts.items()},
            self.report,
        )
        relation_plans = relations.compile_all(
            {name: draft.table for name, draft in drafts.items()},
            {name: bool(draft.operations) for name, draft in drafts.items()},
        )
        known = {name: self._known(draft) for name, draft in drafts.items()}
        ids: dict[int, list[str]] = {}
        resources: list[ResourcePlan] = []
        for name, draft in drafts.items():
            operations = self._operations(name, draft, known)
            for declared, operation in zip(draft.operations, operations, strict=True):
                ids.setdefault(id(vars(draft.cls)[declared]), []).append(operation.id)
            self._check_relation_names(draft, relation_plans[name])
            self._check_route_collisions(draft, operations, relation_plans[name])
            resources.append(
                self._resource(name, draft, relation_plans[name], relations.owner_of.get(name), operations)
            )
        texts = well_typed({name: getattr(self.contract, name) for name in CONTRACT}, CONTRACT, self._add_to_contract)
        name = str(self.contract.name)
        plan = Plan(
            name=name,
            title=texts.get("title") or name.replace("-", " ").title(),
            description=texts.get("description", ""),
            version=texts.get("version", ""),
            license=texts.get("license", ""),
            api_version=str(self.contract.api_version),
            base_path=f"/api/{self.contract.api_version}",
            resources=tuple(resources),
        )
        places = {name: draft.declaration.source for name, draft in drafts.items()}
        bound, functions = bind(
            plan,
            services,
            ids,
            {name: draft.where for name, draft in drafts.items()},
            self.contract.source,
            self.report,
        )
        self.report.raise_if_any()
        all_classes: dict[str, type] = {**classes, **{payload.name: cls for cls, payload in self.payloads.items()}}
        return Compiled(bound, functions, all_classes, places)

    # -- the contract as a whole

    def _check_contract(self) -> None:
        contract = self.contract
        if not _matches(_NAME, contract.name):
            self._add_to_contract(
                "name",
                "SP001",
                f"the contract's name {shown(contract.name)} is malformed",
                'use lower case and dashes, such as "user-service"',
            )
        if not _matches(_API_VERSION, contract.api_version):
            self._add_to_contract(
                "api_version",
                "SP005",
                f"the API version {shown(contract.api_version)} is malformed",
                'write api_version="v1", or "v2", "v3" and so on',
            )
        if contract.resources in ((), []):
            self._add_to_contract(
                "resources", "SP002", "the contract lists no resource", "write Contract(…, resources=[User, …])"
            )

    def _add_to_contract(self, keyword: str, code: str, message: str, fix: str) -> None:
        where = call_keyword_source(self.contract.source, keyword, 0 if keyword == "name" else None)
        self.report.add(where, code, message, fix)

    def _collect(self) -> dict[str, type[Resource]]:
        classes: dict[str, type[Resource]] = {}
        resources: object = self.contract.resources
        if not isinstance(resources, tuple):
            self._add_to_contract(
                "resources",
                "SP004",
                f"resources={shown(resources)} is not a list",
                "write resources=[User, …]",
            )
            return classes
        for item in cast("tuple[Any, ...]", resources):
            text = shown(item)
            if not (isinstance(item, type) and issubclass(item, Resource) and item is not Resource):
                self._add_to_contract(
                    "resources",
                    "SP004",
                    f"{text} in resources is not a resource",
                    "list classes that derive from Resource",
                )
            elif item.__declaration__.keywords.get("abstract") is True:
                self._add_to_contract(
                    "resources",
                    "SP004",
                    f"{item.__name__} in resources is abstract",
                    "list the resources that derive from it",
                )
            elif classes.get(item.__name__) is item:
                self._add_to_contract("resources", "SP003", f"{item.__name__} is listed twice", "list it once")
            elif item.__name__ in classes:
                self.report.add(
                    item.__declaration__.source,
                    "SP003",
                    f"two resources are named {item.__name__}",
                    "rename one of the two",
                )
            else:
                classes[item.__name__] = item
        return classes

    def _check_collisions(self, drafts: dict[str, _Draft]) -> None:
        seen: dict[tuple[str, str], str] = {}
        fixes = {
            "table": 'choose another table="…"',
            "address": 'choose another plural="…"',
            "id prefix": 'choose another prefix="…"',
        }
        for name, draft in drafts.items():
            prefix = draft.declaration.keywords.get("prefix")
            for code, what, value in (
                ("SP006", "address", draft.path),
                ("SP006", "table", draft.table),
                ("SP007", "id prefix", str(prefix)),
            ):
                other = seen.setdefault((what, value), name)
                if other == name or (what == "id prefix" and prefix is None):
                    continue
                self.report.add(
                    draft.keyword("prefix" if code == "SP007" else "plural" if what == "address" else "table"),
                    code,
                    f"{name}: its {what} {value!r} is that of {other} already",
                    fixes[what],
                )
                if what == "address":
                    break  # another plural gives another table, too

    # -- one resource

    def _draft(self, cls: type[Resource], classes: dict[str, type[Resource]]) -> _Draft:
        own = cls.__declaration__
        self._check_keywords(own)
        words = self._name(own, "plural", plural(snake(own.name)) or "things").replace("-", "_")
        draft = _Draft(cls, own, self._name(own, "table", words), kebab(words), {}, {}, {}, {}, [], {})
        for declaration in declarations(cls, Resource):
            self._read_declaration(declaration, draft, classes)
        self._compile_fields(draft)
        if not draft.types and not any(
            declaration.annotations.keys() - {"id"} for declaration in declarations(cls, Resource)
        ):
            self.report.add(own.source, "SP106", f"{own.name} has no field", "declare at least one, such as name: str")
        self._check_owner(draft)
        self._check_unique_groups(draft)
        return draft

    def _name(self, declaration: Declaration, keyword: str, otherwise: str) -> str:
        """The plural or the table that a class gives itself."""
        given = declaration.keywords.get(keyword, otherwise)
        if _matches(SNAKE if keyword == "table" else _PLURAL, given):
            return given
        if keyword in declaration.keywords:
            self.report.add(
                class_keyword_source(declaration.source, declaration.name, keyword),
                "SP108",
                f"{declaration.name}: {keyword}={shown(given)} is malformed",
                f'use lower case and underscores, such as {keyword}="order_items"',
            )
        return otherwise

    def _check_keywords(self, declaration: Declaration) -> None:
        name, keywords = declaration.name, declaration.keywords
        self._check_class(declaration, _KEYWORDS)
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
        elif not _matches(_PREFIX, prefix):
            self.report.add(
                class_keyword_source(declaration.source, name, "prefix"),
                "SP103",
                f"{name}: the id prefix {shown(prefix)} is malformed",
                "use 2 to 8 lower-case letters",
            )

    def _check_class(self, declaration: Declaration, known: set[str]) -> None:
        """The name of a class, and its keywords."""
        name = declaration.name
        if not PASCAL.fullmatch(name):
            self.report.add(
                declaration.source,
                "SP109",
                f"the class's name {name!r} is malformed",
                "use a capital letter, then letters and digits of ASCII, such as OrderItem",
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
                    f"leave it out here, and write it in each class that derives from {name}",
                )
            else:
                self.report.add(
                    where,
                    "SP101",
                    f"{name}: the class keyword {keyword!r} is unknown",
                    f"use one of {listed(sorted(known))}" if known else "leave it out",
                )

    def _read_declaration(self, declaration: Declaration, draft: _Draft, classes: dict[str, type[Resource]]) -> None:
        for place in declaration.attributes.get(BOOLEAN_MISUSE, ()):
            self.report.add(
                place,
                "SP501",
                f"{declaration.name}: a policy stands under and, or, not or if, where Python would drop a part of it",
                "use & instead of and, | instead of or, ~ instead of not",
            )
        if declaration.cls is not draft.cls and declaration.keywords.get("abstract") is True:
            self._check_class(declaration, {"abstract"})
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
                    f"{declaration.name}.{name}: {shown(value)} does not say what it does",
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

    def _compile_fields(self, draft: _Draft) -> None:
        draft.fields["id"] = _id_field(draft.declaration.name)
        for name, found in draft.types.items():
            declared = draft.declared[name]
            compiler = FieldCompiler(draft.owners[name], self.report)
            if isinstance(found, RelationType):
                self._compile_relation(name, found, declared, compiler, draft)
            else:
                field = self._scalar(compiler, name, found, declared)
                if field is not None:
                    self._add_field(draft, field, compiler)

    def _scalar(self, compiler: FieldCompiler, name: str, found: FieldType, declared: Any) -> FieldPlan | None:
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
                f"{path}: an operation stands where field() belongs",
                f"remove the type: {name} = {shown(declared)}",
            )
        else:
            self.report.add(
                compiler.where(name),
                "SP212",
                f"{path}: the value {shown(declared)} stands where field() belongs",
                f"write field(default={shown(declared)})",
            )
        return None

    def _compile_relation(
        self, name: str, found: RelationType, declared: Any, compiler: FieldCompiler, draft: _Draft
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
                    f"{draft.declaration.name}.{key.name}: the relation {name} makes this field already",
                    f"remove {key.name}; {name}: One[{found.target}] is enough",
                )
            else:
                self._add_field(draft, key, compiler)

    def _add_field(self, draft: _Draft, field: FieldPlan, compiler: FieldCompiler) -> None:
        for other in draft.fields.values():
            if other.public_name == field.public_name and other.name != field.name:
                self.report.add(
                    compiler.where(field.name),
                    "SP210",
                    f"{draft.declaration.name}.{field.name}: its name in JSON, {field.public_name}, is that of {other.name} already",
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

    def _check_owner(self, draft: _Draft) -> None:
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
                f"{draft.name}: the owner field {owner!r} is {a(field.kind)} and cannot hold a caller's id",
                'use "id", a reference such as "user_id", or a str',
            )

    def _check_unique_groups(self, draft: _Draft) -> None:
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
                    f"{draft.name}: the unique group {shown(group)} is not a tuple of its fields, each once",
                    fix,
                )
            elif any(draft.fields[name].kind == "json" for name in group):
                self.report.add(
                    draft.keyword("unique"),
                    "SP213",
                    f"{draft.name}: the unique group {shown(group)} holds a json, which cannot be unique",
                    "leave it out of the group",
                )

    def _check_relation_names(self, draft: _Draft, relations: tuple[RelationPlan, ...]) -> None:
        taken = {field.public_name: field.name for field in draft.fields.values()}
        for relation in relations:
            for public_name in dict.fromkeys(name for name in (relation.public_name, relation.input_name) if name):
                other = taken.setdefault(public_name, relation.name)
                if other != relation.name:
                    self.report.add(
                        draft.where(relation.name),
                        "SP210",
                        f"{draft.name}.{relation.name}: its name in JSON, {public_name}, is that of {other} already",
                        "rename one of the two",
                    )

    def _known(self, draft: _Draft) -> Known:
        references = {
            relation.name: relation.type.target for relation in draft.relations if relation.type.form == "one"
        }
        owner = draft.declaration.keywords.get("owner")
        return Known(draft.fields, references, owner if isinstance(owner, str) and owner in draft.fields else None)

    def _operations(self, name: str, draft: _Draft, known: dict[str, Known]) -> tuple[OperationPlan, ...]:
        policies = PolicyCompiler(name, known, self.report)
        compiler = OperationCompiler(
            draft.name,
            draft.where,
            draft.path,
            draft.fields,
            policies,
            self._payload,
            f"/api/{self.contract.api_version}",
            self.report,
            misused=any(BOOLEAN_MISUSE in declaration.attributes for declaration in declarations(draft.cls, Resource)),
        )
        return compiler.compile_all(draft.operations)

    def _check_route_collisions(
        self, draft: _Draft, operations: tuple[OperationPlan, ...], relations: tuple[Any, ...]
    ) -> None:
        routes = {relation.public_name: relation.name for relation in relations if relation.nested_route}
        for operation in operations:
            last = operation.path.rsplit("/", 1)[-1]
            if operation.on_item and operation.method == "GET" and last in routes:
                self.report.add(
                    draft.where(operation.name),
                    "SP413",
                    f"{draft.name}.{operation.name}: GET {operation.path} is the list of {routes[last]} already",
                    "rename the operation, or write many(route=False)",
                )

    def _payload(self, cls: type[Declared]) -> PayloadPlan:
        if cls not in self.payloads:
            fields: dict[str, FieldPlan] = {}
            for declaration in declarations(cls, Payload):
                self._check_class(declaration, set())
                compiler = FieldCompiler(declaration, self.report)
                for name in declaration.annotations:
                    found = read_type(declaration, name, {}, self.report)
                    if isinstance(found, RelationType):
                        self._not_in_payload(declaration, name, found.target)
                    elif found is not None:
                        field = self._scalar(compiler, name, found, declaration.attributes.get(name))
                        fields.update({name: field} if field else {})
            self._check_payload_name(cls)
            self.payloads[cls] = PayloadPlan(cls.__name__, tuple(fields.values()), _doc(cls))
        return self.payloads[cls]

    def _check_payload_name(self, cls: type[Declared]) -> None:
        if cls.__name__ in self.resources or any(other.__name__ == cls.__name__ for other in self.payloads):
            self.report.add(
                cls.__declaration__.source, "SP003", f"two classes are named {cls.__name__}", "rename one of the two"
            )

    def _not_in_payload(self, declaration: Declaration, name: str, target: str) -> None:
        self.report.add(
            attribute_source(declaration.source, declaration.name, name),
            "SP202",
            f"{declaration.name}.{name}: a Payload has no relations",
            f"take the id as text, {name}_id: str, and read the {target} with its repository",
        )

    def _unique_groups(self, draft: _Draft) -> tuple[tuple[str, ...], ...]:
        given: Any = draft.declaration.keywords.get("unique", ())
        if not isinstance(given, list | tuple):
            return ()
        return tuple(tuple(group) for group in cast("list[Any]", given) if _is_group(group, draft))

    def _resource(
        self,
        name: str,
        draft: _Draft,
        relations: tuple[Any, ...],
        owned_by: str | None,
        operations: tuple[OperationPlan, ...],
    ) -> ResourcePlan:
        keywords = draft.declaration.keywords
        groups = self._unique_groups(draft)
        return ResourcePlan(
            name=name,
            table=draft.table,
            path=draft.path,
            prefix=str(keywords.get("prefix")),
            description=_doc(draft.cls),
            owner_field=keywords.get("owner"),
            owned_by=owned_by,
            position_column="position" if owned_by else None,
            fields=tuple(draft.fields.values()),
            relations=relations,
            operations=operations,
            unique_together=groups,
        )


def _is_group(group: Any, draft: _Draft) -> bool:
    return (
        is_names(group)
        and len(group) > 0
        and len(set(group)) == len(group)
        and all(name in draft.fields for name in group)
    )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _doc(cls: type) -> str:
    return " ".join((cls.__dict__.get("__doc__") or "").split())


def _id_field(resource: str) -> FieldPlan:
    return FieldPlan(
        name="id",
        public_name="id",
        kind="id",
        nullable=False,
        required=False,
        default=None,
        write="never",
        description="",
        read_scope=None,
        hidden=False,
        sensitive=False,
        unique=False,
        generated="id",
        caller_default=False,
        computed=None,
        min_length=None,
        max_length=None,
        pattern=None,
        format=None,
        minimum=None,
        maximum=None,
        decimal_places=None,
        max_digits=None,
        choices=(),
        references=resource,
        on_delete=None,
        filters=(),
    )
