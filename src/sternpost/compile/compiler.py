"""Compiles a contract: reads every declaration, collects every mistake, and builds the plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, cast

from sternpost.compile.computing import bind_computing
from sternpost.compile.database_names import check_shared_names
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features import ALL_CODES, CONTRACT_OPTIONS, FEATURES, additions
from sternpost.compile.features.limits import check_inputs
from sternpost.compile.features.own_objects import check_own_objects
from sternpost.compile.hooks import HookCompiler
from sternpost.compile.names import matches
from sternpost.compile.operations import OperationCompiler
from sternpost.compile.options import CONTRACT, shown, well_typed
from sternpost.compile.policies import PolicyCompiler
from sternpost.compile.policy_paths import Known
from sternpost.compile.providers import ProviderCompiler
from sternpost.compile.reader import ClassReader, documentation
from sternpost.compile.relations import RelationCompiler
from sternpost.compile.services import bind, is_services
from sternpost.compile.shapes import with_shapes
from sternpost.compile.versions import CompilePolicy, Older, compile_versions
from sternpost.compile.wiring import NOTHING_WIRED, Wired, middleware_of, mounted_below, start_or_stop
from sternpost.contract.contract import Contract
from sternpost.contract.policy import BOOLEAN_MISUSE, Policy
from sternpost.contract.resource import Resource, declarations
from sternpost.contract.source import Source, call_keyword_source
from sternpost.contract.wiring import NO_WIRING, Wiring
from sternpost.data.computing import ComputedKey
from sternpost.data.providers import Injected, Needs
from sternpost.plan.model import OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import DENY, PolicyNode

_API_VERSION = re.compile(r"v[1-9][0-9]*")
CONTRACT_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Compiled:
    """What compiling gives: the plan, the authors' functions, the authors' classes, and where each was declared."""

    plan: Plan
    functions: dict[str, Callable[..., Any]]
    classes: dict[str, type]
    places: dict[str, Source]
    older: tuple[Older, ...] = ()
    """Older versions of the API that are served as well, the newest first."""
    wired: Wired = NOTHING_WIRED
    computing: Mapping[ComputedKey, Injected] = field(default_factory=dict[ComputedKey, Injected])
    """The functions that compute fields."""


def compile_contract(
    contract: Contract, services: Iterable[ModuleType | Callable[..., Any]] = (), wiring: Wiring = NO_WIRING
) -> Compiled:
    """Compiles `contract`, binds the functions found in `services`, and checks what the application adds.

    Raises:
        ContractError: the contract has mistakes; all of them are in it.
    """
    return _Compiler(contract, wiring).compile(services)


class _Compiler:
    def __init__(self, contract: Contract, wiring: Wiring) -> None:
        self.contract = contract
        self.wiring = wiring
        self.report = Report(ALL_CODES)
        self.reader = ClassReader(self.report, external=contract.schema == "external")

    def compile(self, services: Iterable[ModuleType | Callable[..., Any]]) -> Compiled:
        services = tuple(services) if is_services(services) else services
        self._check_contract()
        classes = self._collect()
        self.reader.names = tuple(classes)
        drafts = {name: self.reader.read(cls, classes) for name, cls in classes.items()}
        self._check_collisions(drafts)
        relation_plans = RelationCompiler(drafts, self.report).compile_all()
        for feature in FEATURES:
            feature.read_all(drafts, self.report)
        known = {name: self._known(draft) for name, draft in drafts.items()}
        relation_plans = {name: self._links(drafts[name], plans, known) for name, plans in relation_plans.items()}
        ids: dict[int, list[str]] = {}
        resources: list[ResourcePlan] = []
        for name, draft in drafts.items():
            operations = self._operations(name, draft, known)
            for declared, operation in zip(draft.operations, operations, strict=True):
                ids.setdefault(id(vars(draft.cls)[declared]), []).append(operation.id)
            self._check_relation_names(draft, relation_plans[name])
            self._check_route_collisions(draft, operations, relation_plans[name])
            resources.append(_resource(draft, relation_plans[name], operations))
        plan = self._plan(tuple(resources))
        check_inputs(plan, drafts, self.report)
        if not (plan.external or self.report.diagnostics):
            check_shared_names(plan.resources, drafts, self.report)
            check_own_objects(plan, self._add_to_contract)
        places = {name: draft.declaration.source for name, draft in drafts.items()}
        all_classes: dict[str, type] = {
            **classes,
            **{payload.name: cls for cls, payload in self.reader.payloads.found.items()},
        }
        providers = ProviderCompiler(self.wiring.provide, self._line, self.report)
        bound, functions, injected = bind(
            plan,
            services,
            ids,
            {name: draft.where for name, draft in drafts.items()},
            all_classes,
            self.contract.source,
            providers,
            self.report,
        )
        computing = bind_computing(
            bound, services, {name: draft.where for name, draft in drafts.items()}, all_classes, providers, self.report
        )
        wired = self._wired(bound, ids, providers, injected)
        older: tuple[Older, ...] = ()
        if not self.report.diagnostics:
            bound, older = compile_versions(self.contract, bound, self.report, self._older_policy(drafts, known))
        self.report.raise_if_any()
        bound, older = with_shapes(bound, older)
        return Compiled(bound, functions, all_classes, places, older, wired, computing)

    @property
    def _line(self) -> Source:
        """Where the application is made."""
        return self.wiring.source or self.contract.source

    def _wired(
        self, plan: Plan, ids: dict[int, list[str]], providers: ProviderCompiler, injected: dict[str, Needs]
    ) -> Wired:
        wiring, where, report = self.wiring, self._line, self.report
        hooks = HookCompiler(plan, ids, providers, report).compile(wiring.hooks, where)
        on_start = start_or_stop("on_start", wiring.on_start, where, providers, report)
        on_stop = start_or_stop("on_stop", wiring.on_stop, where, providers, report)
        return Wired(
            hooks,
            injected,
            providers.finish(),
            on_start,
            on_stop,
            middleware_of(wiring.middleware, where, report),
            mounted_below(wiring.mounts, plan, where, report),
        )

    def _older_policy(self, drafts: dict[str, ResourceDraft], known: dict[str, Known]) -> CompilePolicy:
        def compile_policy(resource: str, operation: OperationPlan, policy: Any, where: Source) -> PolicyNode:
            if not isinstance(policy, Policy):
                self.report.add(where, "SP023", f"allow={shown(policy)} is not a policy", 'write scope("…") or public')
                return DENY
            compiler = PolicyCompiler(drafts[resource].name, known, self.report, older=True)
            if operation.kind == "custom" and not operation.on_item:
                return compiler.compile_without_row(policy, operation.name, where)
            return compiler.compile(policy, operation.name, where, creates=operation.kind == "create")

        return compile_policy

    # -- the contract as a whole

    def _plan(self, resources: tuple[ResourcePlan, ...]) -> Plan:
        shapes = {**CONTRACT, **CONTRACT_OPTIONS}
        options = well_typed({name: getattr(self.contract, name) for name in shapes}, shapes, self._add_to_contract)
        name = str(self.contract.name)
        return Plan(
            name=name,
            title=options.get("title") or name.replace("-", " ").title(),
            description=options.get("description", ""),
            version=options.get("version", ""),
            license=options.get("license", ""),
            api_version=str(self.contract.api_version),
            base_path=f"/api/{self.contract.api_version}",
            resources=resources,
            batch_max=options.get("batch_max", 0),
            **additions([feature.plan(self.contract, options) for feature in FEATURES]),
        )

    def _check_contract(self) -> None:
        contract = self.contract
        if not matches(CONTRACT_NAME, contract.name):
            self._add_to_contract(
                "name",
                "SP001",
                f"the contract's name {shown(contract.name)} is malformed",
                'use lower case and dashes, such as "user-service"',
            )
        if not matches(_API_VERSION, contract.api_version):
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
        for feature in FEATURES:
            feature.check_contract(contract, self._add_to_contract)

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

    def _check_collisions(self, drafts: dict[str, ResourceDraft]) -> None:
        seen: dict[tuple[str, str], str] = {}
        fixes = {
            "table": 'choose another table="…"',
            "address": 'choose another plural="…"',
            "id prefix": 'choose another prefix="…"',
        }
        for name, draft in drafts.items():
            prefix = draft.keyword("prefix")
            for code, what, value in (
                ("SP006", "address", draft.path),
                ("SP006", "table", f"{draft.schema}.{draft.table}" if draft.schema else draft.table),
                ("SP007", "id prefix", str(prefix)),
            ):
                other = seen.setdefault((what, value), name)
                if other == name or (what == "id prefix" and prefix is None):
                    continue
                self.report.add(
                    draft.where_keyword("prefix" if code == "SP007" else "plural" if what == "address" else "table"),
                    code,
                    f"{name}: its {what} {value!r} is already used by {other}",
                    fixes[what],
                )
                if what == "address":
                    break  # another plural gives another table, too

    # -- one resource

    def _check_relation_names(self, draft: ResourceDraft, relations: tuple[RelationPlan, ...]) -> None:
        taken = {field.public_name: field.name for field in draft.shown}
        for relation in relations:
            for public_name in dict.fromkeys(name for name in (relation.public_name, relation.input_name) if name):
                other = taken.setdefault(public_name, relation.name)
                if other != relation.name:
                    self.report.add(
                        draft.where(relation.name),
                        "SP210",
                        f"{draft.name}.{relation.name}: its name in JSON, {public_name}, is already used by {other}",
                        "rename one of the two",
                    )

    def _links(
        self, draft: ResourceDraft, relations: tuple[RelationPlan, ...], known: dict[str, Known]
    ) -> tuple[RelationPlan, ...]:
        """The relations with the policies of what they may refer to."""
        declared = {each.name: each.options.get("link") for each in draft.relations}
        return tuple(
            relation
            if declared[relation.name] is None
            else replace(relation, link=self._link(draft, relation, declared[relation.name], known))
            for relation in relations
        )

    def _link(self, draft: ResourceDraft, relation: RelationPlan, policy: Any, known: dict[str, Known]) -> PolicyNode:
        name, where = f"{draft.name}.{relation.name}", draft.where(relation.name, "link")
        if relation.kind not in ("one", "linked"):
            message = f"{name}: link= says which rows an input may refer to, and no input refers to these"
            self.report.add(where, "SP316", message, "declare it with One[…], or with many(through=…)")
        elif not isinstance(policy, Policy):
            message = f"{name}: link={shown(policy)} is not a policy"
            self.report.add(
                where, "SP316", message, f'write public, scope("…"), or a condition on the {relation.target}'
            )
        else:
            compiler = PolicyCompiler(relation.target, known, self.report)
            return compiler.compile(policy, f"{name}, link", where, creates=False)
        return DENY

    def _known(self, draft: ResourceDraft) -> Known:
        references = {
            relation.name: relation.type.target for relation in draft.relations if relation.type.form == "one"
        }
        owner = draft.keyword("owner")
        hides = any(field.generated in ("deleted", "tenant") for field in draft.fields.values())
        guarded = hides or draft.keyword("tenant") == "id"
        owner_field = owner if isinstance(owner, str) and owner in draft.fields else None
        lists = {relation.name: relation.type.target for relation in draft.relations if relation.type.form != "one"}
        return Known(
            draft.fields, references, lists, owner_field, str(draft.keyword("prefix")), guarded, draft.computed.keys()
        )

    def _operations(self, name: str, draft: ResourceDraft, known: dict[str, Known]) -> tuple[OperationPlan, ...]:
        policies = PolicyCompiler(name, known, self.report)
        compiler = OperationCompiler(
            draft,
            policies,
            self.reader.payloads.of,
            f"/api/{self.contract.api_version}",
            self.report,
            misused=any(BOOLEAN_MISUSE in declaration.attributes for declaration in declarations(draft.cls, Resource)),
        )
        return compiler.compile_all()

    def _check_route_collisions(
        self, draft: ResourceDraft, operations: tuple[OperationPlan, ...], relations: tuple[Any, ...]
    ) -> None:
        routes = {relation.public_name: relation.name for relation in relations if relation.nested_route}
        for operation in operations:
            last = operation.path.rsplit("/", 1)[-1]
            if operation.on_item and operation.method == "GET" and last in routes:
                self.report.add(
                    draft.where(operation.name),
                    "SP413",
                    f"{draft.name}.{operation.name}: "
                    f"GET {operation.path} is already the address of the list {routes[last]}",
                    "rename the operation, or turn that address off with many(route=False)",
                )


def _resource(
    draft: ResourceDraft, relations: tuple[RelationPlan, ...], operations: tuple[OperationPlan, ...]
) -> ResourcePlan:
    return ResourcePlan(
        name=draft.name,
        table=draft.table,
        path=draft.path,
        prefix=str(draft.keyword("prefix")),
        description=documentation(draft.cls),
        owner_field=draft.keyword("owner"),
        owned_by=draft.owned_by,
        position_column=_position_column(draft) if draft.owned_by and not draft.external else None,
        fields=tuple(draft.fields.values()),
        relations=relations,
        operations=operations,
        unique_together=draft.unique,
        indexes=draft.indexes,
        **additions([feature.resource(draft) for feature in FEATURES]),
    )


def _position_column(draft: ResourceDraft) -> str:
    """The column that keeps the order of an owned list. No field can have the second name: those do not end
    in a `_`."""
    return "position_" if "position" in draft.fields else "position"
