"""`sternpost contract explain`: an operation as it will run, and where each of its values was declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.table import Table

from sternpost.cli.output import Terminal, shown
from sternpost.compile.compiler import Compiled
from sternpost.compile.features import OPERATION_OPTIONS
from sternpost.contract.resource import Declaration, Resource, declarations
from sternpost.contract.source import Source, attribute_source, class_keyword_source, is_given
from sternpost.data.hooks import PLACES
from sternpost.derive.emit import dialects
from sternpost.errors import StartupError
from sternpost.plan.limits import LimitPlan, describe_limit, limit_id
from sternpost.plan.model import (
    FieldPlan,
    InPython,
    OfRows,
    OperationPlan,
    PayloadPlan,
    Plan,
    RelatedFilter,
    ResourcePlan,
)
from sternpost.plan.policy import describe
from sternpost.plan.row_errors import check_text, overlap_text
from sternpost.storage.sql.explain import explain_operation
from sternpost.storage.sql.statements import Statements

_VALUES = {
    "allow": "policy",
    "summary": "summary",
    "timeout": "timeout_seconds",
    "page_size": "page_size",
    "max_page_size": "max_page_size",
    "sort": "sort",
    "default_sort": "default_sort",
    "field": "state_field",
    "source": "sources",
    "target": "target",
    "method": "method",
    "limit": "limits",
}
"""Keywords of operations by the attribute of the plan that holds them; those of features have one name in both."""

_OF_KIND = {
    "browse": ("page_size", "max_page_size", "sort", "default_sort"),
    "transition": ("field", "source", "target"),
    "custom": ("method",),
}


_WHERE_GIVEN = {
    "browse": ("export", "filter", "or_groups"),
    "transition": ("input", "headers", "errors"),
    "custom": ("input", "output", "status", "headers", "errors", "max_items", "page_size", "max_page_size"),
}
"""Keywords that are shown where they are given."""


def list_all(compiled: Compiled, console: Terminal) -> None:
    """A table of all operations."""
    table = Table("operation", "method", "address", "allowed for", box=None, header_style="bold")
    for _, operation in compiled.plan.operations.values():
        table.add_row(*map(shown, (operation.id, operation.method, operation.path, describe(operation.policy))))
    console.table(table)
    open_to_all = [*_open_to_all(compiled.plan)]
    if open_to_all:
        console.print("\n[bold]tell of what the caller may not read (all=True)[/]")
        for name in open_to_all:
            console.print(f"  {shown(name)}")
    wired = compiled.wired
    if wired.middleware or wired.mounts:
        console.print("\n[bold]outside the pipeline[/]")
        for each in wired.middleware:
            console.print(f"  middleware {shown(name_of(each))}")
        for prefix in wired.mounts:
            console.print(f"  mount {shown(prefix)}")


def _open_to_all(plan: Plan) -> Iterator[str]:
    """What is declared with `all=True`: computed fields, and filters and searches of lists."""
    for resource in plan.resources:
        for field in resource.computed:
            if field.derived is not None and field.derived.all:
                yield f"field {resource.name}.{field.name}"
        for operation in resource.operations:
            yield from (f"filter {_path(each)} of {operation.id}" for each in operation.related if each.all)
            yield from (f"search in {each.name} of {operation.id}" for each in operation.search if each.all)


def _path(each: RelatedFilter) -> str:
    return ".".join((*each.path, each.field, *each.members))


def name_of(thing: Any) -> str:
    """What something of the author's is called; of a partial, what it is one of."""
    found = getattr(thing, "func", thing)
    return str(getattr(found, "__qualname__", None) or type(found).__name__)


def explain_one(compiled: Compiled, operation_id: str, database: str, console: Terminal) -> None:
    """Address, policy, SQL and places of one operation. Raises `StartupError` for one that does not exist."""
    if operation_id not in compiled.plan.operations:
        raise StartupError(
            f"There is no operation {operation_id!r}; the operations are {', '.join(compiled.plan.operations)}"
        )
    resource, operation = compiled.plan.operations[operation_id]
    console.print(f"[bold]{shown(operation.id)}[/] – {shown(operation.summary)}")
    console.print(f"\n[bold]route[/]   {operation.method} {shown(operation.path)} → {operation.status}")
    console.print(f"[bold]policy[/]  {shown(describe(operation.policy))}")
    if operation.has_service:
        function = compiled.functions[operation.id]
        where = Source(function.__code__.co_filename, function.__code__.co_firstlineno)
        console.print(f"[bold]service[/] {shown(function.__name__)}  {shown(where.place)}")
    for text in _counted(compiled.plan, operation):
        console.print(f"[bold]limit[/]   {shown(text)}")
    _way(compiled, operation, console)
    console.print(f"\n[bold]SQL[/] ({database})")
    for purpose, text in explain_operation(Statements(compiled.plan, dialects()[database]), operation_id):
        console.print(f"  [dim]-- {shown(purpose)}[/]")
        console.print("  " + shown(" ".join(text.split())))
    console.print("\n[bold]declared[/]")
    console.table(_places(compiled, resource, operation))


def _way(compiled: Compiled, operation: OperationPlan, console: Terminal) -> None:
    """Who serves it, what its function is given, and the hooks in the order in which it comes to them."""
    if operation.http_only:
        said = "answers with another address" if operation.redirects else "looks at the request"
        why = f"answers with {operation.media.type}" if operation.media is not None else said
        console.print(f"[bold]served[/]  over HTTP alone, because it {shown(why)}; batches leave it out")
    for parameter, wanted in compiled.wired.injected.get(operation.id, ()):
        maker = next((maker for maker in compiled.wired.makers if maker.key is wanted), None)
        per = f", one per {maker.per}" if maker is not None else ""
        console.print(f"[bold]given[/]   {shown(parameter)}: {shown(wanted.__name__)}{per}")
    hooks = compiled.wired.hooks.get(operation.id)
    for place in PLACES if hooks is not None else ():
        for hook in getattr(hooks, place):
            code = hook.function.__code__
            where = Source(code.co_filename, code.co_firstlineno).place
            console.print(f"[bold]hook[/]    {place.replace('_', ' ')}: {shown(hook.name)}  {shown(where)}")


def _places(compiled: Compiled, resource: ResourcePlan, operation: OperationPlan) -> Table:
    table = Table("value", "is", "where", box=None, header_style="dim", padding=(0, 2))
    declared_operation = getattr(compiled.classes[resource.name], operation.name)
    of_features = [name for name in OPERATION_OPTIONS if hasattr(declared_operation, name)]
    for keyword in ("allow", "summary", "timeout", *_OF_KIND.get(operation.kind, ()), *of_features):
        by = _declared_by(compiled, resource, operation.name)
        place = attribute_source(by.source, by.name, operation.name, keyword).place
        value = getattr(operation, _VALUES.get(keyword, keyword))
        text = _SHOWN.get(keyword, str)(value)
        declared = is_given(by.source, by.name, operation.name, keyword)
        table.add_row(keyword, shown(text), shown(place) if declared else "default")
    for keyword in _WHERE_GIVEN.get(operation.kind, ()):
        by = _declared_by(compiled, resource, operation.name)
        if is_given(by.source, by.name, operation.name, keyword):
            place = attribute_source(by.source, by.name, operation.name, keyword).place
            table.add_row(keyword, shown(_given(operation, keyword)), shown(place))
    for field in resource.fields:
        if field.name != "id":
            name = field.name.removesuffix("_id") if field.references else field.name
            by = _declared_by(compiled, resource, name)
            place = attribute_source(by.source, by.name, name).place
            table.add_row(f"field {shown(field.name)}", shown(_described(field)), shown(place))
    for field in resource.computed:
        by = _declared_by(compiled, resource, field.name)
        place = attribute_source(by.source, by.name, field.name).place
        table.add_row(f"computed {shown(field.name)}", shown(_computed(field)), shown(place))
    own = list(declarations(compiled.classes[resource.name], Resource))[-1]
    for check in resource.checks:
        place = class_keyword_source(own.source, own.name, "checks").place
        table.add_row(f"check {shown(check.name)}", shown(check_text(resource, check)), shown(place))
    for overlap in resource.no_overlap:
        place = class_keyword_source(own.source, own.name, "no_overlap").place
        table.add_row("no_overlap", shown(overlap_text(resource, overlap)), shown(place))
    return table


def _limits(limits: tuple[LimitPlan, ...] | None) -> str:
    """The rate limits that an operation declares itself."""
    if limits is None:
        return "those of the contract"
    return ", ".join(limit.name for limit in limits) or "none"


def _counted(plan: Plan, operation: OperationPlan) -> Iterator[str]:
    """Every rate limit that a call has to pass, in words."""
    for limit in plan.throttles:
        yield f"{limit_id(None, limit)}: {describe_limit(limit)}"
    for limit in plan.limits_of(operation):
        yield f"{limit.name}: {describe_limit(limit)}"


def _plainly(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"


def _criteria(acceptance: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{code}: {text}" for code, text in acceptance) or "none"


_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "allow": describe,
    "limit": _limits,
    "emits": _plainly,
    "acceptance": _criteria,
    "cache": lambda value: value or "not decided",
}
"""How the values of options are told that do not speak for themselves."""


def _given(operation: OperationPlan, keyword: str) -> str:
    """What an operation declares beside the options that all of its kind have."""
    match keyword:
        case "filter":
            return ", ".join(_path(each) + (" (all=True)" if each.all else "") for each in operation.related)
        case "input":
            return _payload(operation.input)
        case "output":
            return _output(operation)
        case "headers":
            return ", ".join(name for name, _ in operation.headers)
        case "errors":
            return ", ".join(f"{error.code} ({error.status})" for error in operation.errors)
        case _:
            return str(getattr(operation, keyword))


def _payload(payload: PayloadPlan | None) -> str:
    if payload is None:
        return "nothing"
    return f"{payload.name}({', '.join(f'{field.public_name}: {field.kind}' for field in payload.fields)})"


def _output(operation: OperationPlan) -> str:
    """What a custom operation answers with."""
    if operation.media is not None:
        return operation.media.type
    if operation.redirects or operation.returns_nothing:
        return "a redirect" if operation.redirects else "nothing"
    one = f"rows of {operation.output_rows}" if operation.output_rows else _payload(operation.output)
    return one if operation.output_form == "one" else f"a {operation.output_form} of {one}"


def _described(field: FieldPlan) -> str:
    """The kind of a field; of an enum with labels or an order its values, too."""
    if not (field.labels or field.ranks):
        return field.kind
    labels = dict(field.labels)
    values = [f"{value} ({labels[value]})" if value in labels else value for value in field.choices]
    return f"{field.kind}: {(' < ' if field.ranks else ', ').join(values)}"


def _computed(field: FieldPlan) -> str:
    """What a field is computed of when its row is read."""
    match field.derived:
        case OfRows(function, relation, where, last, by, every):
            value = f" of {last} by {by}" if last else ""
            text = f"{function}{value} over {relation}" + ("" if where is None else f" where {describe(where)}")
            return f"{text}; {'every row (all=True)' if every else 'rows that the caller may read'}"
        case InPython(fields, every):
            return f"in Python, of {', '.join(('id', *fields))}" + ("; whoever reads it (all=True)" if every else "")
        case None:
            return "stored"


def _declared_by(compiled: Compiled, resource: ResourcePlan, name: str) -> Declaration:
    """The class that declares an attribute of a resource: its own, or an abstract base of it."""
    own, *bases = reversed(list(declarations(compiled.classes[resource.name], Resource)))
    having = (each for each in (own, *bases) if name in each.attributes or name in each.annotations)
    return next(having, own)
