"""Checks hooks, and puts together which of them each operation has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.compile.options import shown
from sternpost.compile.providers import ProviderCompiler
from sternpost.contract.hooks import Hook
from sternpost.contract.source import Source
from sternpost.data.hooks import PLACES, Hooks
from sternpost.data.providers import Injected
from sternpost.plan.model import Plan


class HookCompiler:
    """Reads `Sternpost(hooks=[…])`.

    Args:
        operation_ids: the plan's ids of each declared operation object, by its identity.
    """

    def __init__(
        self, plan: Plan, operation_ids: Mapping[int, Sequence[str]], providers: ProviderCompiler, report: Report
    ) -> None:
        self.plan = plan
        self.operation_ids = operation_ids
        self.providers = providers
        self.report = report
        self.found: dict[str, Hooks] = {}

    def compile(self, declared: Any, where: Source) -> dict[str, Hooks]:
        """The hooks of each operation that has some, in the order of their declaration."""
        if isinstance(declared, str) or not isinstance(declared, Sequence):
            self.report.add(
                where, "SP610", f"hooks={shown(declared)} is not a list", "write hooks=[after_validation(function)]"
            )
            return {}
        for each in cast("Sequence[Any]", declared):
            if isinstance(each, Hook):
                self._read(each)
            else:
                self.report.add(
                    where,
                    "SP610",
                    f"{shown(each)} in hooks has no place",
                    f"write {listed(f'{place}(…)' for place in PLACES)}, with the function in it",
                )
        return self.found

    def _read(self, hook: Hook) -> None:
        if not self._check_function(hook):
            return
        injected = Injected(hook.function, self.providers.needs_of(hook.function, hook.source, per_call=False))
        for operation_id in self._operations(hook):
            hooks = self.found.get(operation_id, Hooks())
            there: tuple[Injected, ...] = getattr(hooks, hook.place)
            if any(other.function is hook.function for other in there):
                self._add(hook, "SP615", f"{operation_id} already has it at this place", "declare it once")
                continue
            self.found[operation_id] = replace(hooks, **{hook.place: (*there, injected)})

    def _check_function(self, hook: Hook) -> bool:
        expected = ("call", "proceed") if hook.place == "around_handler" else ("call",)
        called = getattr(hook.function, "__name__", "function")
        signature = f"async def {called}({listed(expected)})"
        if not inspect.iscoroutinefunction(hook.function):
            self._add(hook, "SP611", "it is not an async function", f"write {signature}")
            return False
        parameters = inspect.signature(hook.function).parameters.values()
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        others = [p for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if len(positional) != len(expected) or others:
            taken = listed(p.name for p in parameters)
            self._add(
                hook, "SP612", f"it takes ({taken}), and is called with ({listed(expected)})", f"write {signature}"
            )
            return False
        return True

    def _operations(self, hook: Hook) -> list[str]:
        """The operations that a hook is for. Those that only read have nothing to commit."""
        if not hook.operations:
            every = self.plan.operations.items()
            return [name for name, (_, each) in every if hook.place != "after_commit" or each.method != "GET"]
        found: list[str] = []
        for declared in hook.operations:
            ids = self.operation_ids.get(id(declared), ())
            if not ids:
                self._add(
                    hook,
                    "SP613",
                    f"it names {shown(declared)}, which no resource of the contract declares",
                    "name an operation such as Order.pay, and list its resource in the contract",
                )
            for operation_id in ids:
                if hook.place == "after_commit" and self.plan.operations[operation_id][1].method == "GET":
                    self._add(
                        hook,
                        "SP614",
                        f"{operation_id} only reads, and commits nothing",
                        "write before_encoding(…), which runs in reads, too",
                    )
                else:
                    found.append(operation_id)
        return found

    def _add(self, hook: Hook, code: str, message: str, fix: str) -> None:
        self.report.add(hook.source, code, f"{_name(hook)}, {_words(hook.place)}: {message}", fix)


def _name(hook: Hook) -> str:
    return shown(hook.function)


def _words(place: str) -> str:
    return place.replace("_", " ")
