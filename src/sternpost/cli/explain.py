"""`sternpost contract explain`: an operation as it will run, and where each of its values was declared."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sternpost.compile.compiler import Compiled
from sternpost.compile.features import OPERATION_OPTIONS
from sternpost.contract.source import attribute_source, is_given
from sternpost.derive.emit import dialects
from sternpost.errors import StartupError
from sternpost.plan.model import OperationPlan, ResourcePlan
from sternpost.plan.policy import describe
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
}
"""Keywords of operations by the attribute of the plan that holds them; those of features have one name in both."""

_OF_KIND = {
    "browse": ("page_size", "max_page_size", "sort", "default_sort"),
    "transition": ("field", "source", "target"),
    "custom": ("method",),
}


def list_all(compiled: Compiled, console: Console) -> None:
    """A table of all operations."""
    table = Table("operation", "method", "address", "allowed for", box=None, header_style="bold")
    for _, operation in compiled.plan.operations.values():
        table.add_row(operation.id, operation.method, operation.path, describe(operation.policy))
    console.print(table)


def explain_one(compiled: Compiled, operation_id: str, database: str, console: Console) -> None:
    """Address, policy, SQL and places of one operation. Raises `StartupError` for one that does not exist."""
    if operation_id not in compiled.plan.operations:
        raise StartupError(
            f"There is no operation {operation_id!r}; the operations are {', '.join(compiled.plan.operations)}"
        )
    resource, operation = compiled.plan.operations[operation_id]
    console.print(f"[bold]{operation.id}[/] – {operation.summary}", soft_wrap=True)
    console.print(f"\n[bold]route[/]   {operation.method} {operation.path} → {operation.status}", soft_wrap=True)
    console.print(f"[bold]policy[/]  {describe(operation.policy)}", markup=True, soft_wrap=True)
    if operation.has_service:
        function = compiled.functions[operation.id]
        console.print(
            f"[bold]service[/] {function.__name__}  {function.__code__.co_filename}:{function.__code__.co_firstlineno}",
            soft_wrap=True,
        )
    console.print(f"\n[bold]SQL[/] ({database})")
    for purpose, text in explain_operation(Statements(compiled.plan, dialects()[database]), operation_id):
        console.print(f"  [dim]-- {purpose}[/]", soft_wrap=True)
        console.print("  " + " ".join(text.split()), markup=False, soft_wrap=True)
    console.print("\n[bold]declared[/]")
    console.print(_places(compiled, resource, operation), soft_wrap=True)


def _places(compiled: Compiled, resource: ResourcePlan, operation: OperationPlan) -> Table:
    table = Table("value", "is", "where", box=None, header_style="dim", padding=(0, 2))
    owner = compiled.places[resource.name]
    declared_operation = getattr(compiled.classes[resource.name], operation.name)
    of_features = [name for name in OPERATION_OPTIONS if hasattr(declared_operation, name)]
    for keyword in ("allow", "summary", "timeout", *_OF_KIND.get(operation.kind, ()), *of_features):
        place = attribute_source(owner, resource.name, operation.name, keyword)
        value = getattr(operation, _VALUES.get(keyword, keyword))
        shown = describe(value) if keyword == "allow" else str(value)
        declared = is_given(owner, resource.name, operation.name, keyword)
        table.add_row(keyword, shown, str(place) if declared else "default")
    for field in resource.fields:
        if field.name != "id":
            place = attribute_source(
                owner, resource.name, field.name.removesuffix("_id") if field.references else field.name
            )
            table.add_row(f"field {field.name}", field.kind, str(place))
    return table
