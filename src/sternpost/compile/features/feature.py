"""What every declared feature may have a part in: the steps of a compilation at which it is asked, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.options import Add, Shape
from sternpost.contract.contract import Contract
from sternpost.contract.operations import Operation
from sternpost.plan.model import Kind


@dataclass(frozen=True, slots=True)
class Automatic:
    """A value of `field(auto=…)`: the kind of field that it is for, and the Python type of such a field."""

    kind: Kind
    type: str


class Feature:
    """A declared feature: what an author may write, what is checked, and what it adds to the plan.

    A feature overrides what it needs. `features/__init__.py` lists all of them in the order in which they are asked.

    Attributes:
        class_keywords: keywords of a resource's class line. `read` judges their values.
        contract_options: arguments of `Contract(…)`, each with what its value has to be.
        operation_options: the same for arguments of operations.
        automatic: values of `field(auto=…)`.
        codes: its diagnostics, beside those of `compile/diagnostics.py`, each with what it means.
    """

    class_keywords: ClassVar[tuple[str, ...]] = ()
    contract_options: ClassVar[Mapping[str, Shape]] = {}
    operation_options: ClassVar[Mapping[str, Shape]] = {}
    automatic: ClassVar[Mapping[str, Automatic]] = {}
    codes: ClassVar[Mapping[str, str]] = {}

    def check_contract(self, contract: Contract, add: Add) -> None:
        """Before any class is read: whether the contract's own arguments fit together."""

    def read(self, draft: ResourceDraft, report: Report) -> None:
        """After the fields of one class were compiled: checks its keywords and fields, and adds or changes fields."""

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        """After all classes were read and their relations resolved: what one resource means for another."""

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        """What it adds to the plan of one operation; `add` reports at the operation's line."""
        return {}

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        """What it adds to the plan of one resource."""
        return {}

    def plan(self, contract: Contract, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """What it adds to the plan as a whole; `options` are the contract's without those of a wrong type."""
        return {}
