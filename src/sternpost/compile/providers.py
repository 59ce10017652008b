"""Checks providers, and finds out what each function is given by the types of its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.compile.options import shown
from sternpost.compile.parameters import classes_in, resolved
from sternpost.contract.providers import Provider
from sternpost.contract.source import Source
from sternpost.data.context import Context, HttpContext
from sternpost.data.providers import Maker, Needs
from sternpost.settings import Settings

GIVEN: tuple[type, ...] = (Settings,)
"""What is there without a provider."""

RESERVED: tuple[type, ...] = (*GIVEN, Context, HttpContext)


@dataclass
class _Root:
    """A function whose parameters are provided, and that no provider needs."""

    name: str
    source: Source
    needs: Needs
    per_call: bool


@dataclass
class _Entry:
    """A provider as it was declared, with what its factory asks for."""

    declared: Provider
    needs: Needs = ()
    context: str | None = None
    state: str = field(default="new")


class ProviderCompiler:
    """Reads `Sternpost(provide=[…])`, is asked what functions are given, and at the end says what is missing."""

    def __init__(self, declared: Any, where: Source, report: Report) -> None:
        self.report = report
        self.entries: dict[type, _Entry] = {}
        self.roots: list[_Root] = []
        self._order: list[_Entry] = []
        if isinstance(declared, str) or not isinstance(declared, Sequence):
            report.add(
                where,
                "SP620",
                f"provide={shown(declared)} is not a list",
                "write provide=[provide(Mailer, make_mailer)]",
            )
            return
        for each in cast("Sequence[Any]", declared):
            if isinstance(each, Provider):
                self._read(each)
            else:
                report.add(
                    where, "SP620", f"{shown(each)} in provide is no provider", "write provide(Mailer, make_mailer)"
                )
        for entry in self.entries.values():
            self._read_factory(entry)

    # -- what functions are given

    def needs_of(self, function: Callable[..., Any], where: Source, *, per_call: bool) -> Needs:
        """What a function's keyword-only parameters are given. What is missing is reported by `finish`."""
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            return ()
        name, found = shown(function), list[tuple[str, type]]()
        for parameter in parameters:
            if parameter.kind is not parameter.KEYWORD_ONLY:
                continue
            wanted = self._wanted(function, parameter)
            if wanted is not None:
                found.append((parameter.name, wanted))
            else:
                self.report.add(
                    where,
                    "SP628",
                    f"{name}: nothing says what the parameter {parameter.name} asks for",
                    f"annotate it with the class of a provider, such as {parameter.name}: Mailer",
                )
        needs = tuple(found)
        if needs:
            self.roots.append(_Root(name, where, needs, per_call))
        return needs

    def finish(self) -> tuple[Maker, ...]:
        """The providers in the order in which they can be made. Reports what is missing, with the way to it."""
        for root in self.roots:
            for _, wanted in root.needs:
                self._follow(wanted, [root.name], root.source, per_call=root.per_call)
        for entry in self.entries.values():
            self._follow(entry.declared.type, [], entry.declared.source, per_call=entry.declared.per == "call")
        return tuple(
            Maker(
                entry.declared.type,
                entry.declared.factory,
                entry.declared.per,
                entry.needs,
                entry.context,
                _yields(entry.declared.factory),
            )
            for entry in self._order
        )

    def _follow(self, wanted: type, chain: list[str], where: Source, *, per_call: bool) -> None:
        """Goes to all that a value needs; `chain` holds the names of what needs it."""
        entry, names = self.entries.get(wanted), [*chain, _name(wanted)]
        if wanted in GIVEN:
            return
        if wanted in RESERVED:
            self._report(where, "SP625", names, f"{_name(wanted)} is no value of a provider", _CONTEXT_FIX)
        elif entry is None:
            self._report(
                where,
                "SP625",
                names,
                f"nothing provides {_name(wanted)}",
                f"add provide({_name(wanted)}, …) to Sternpost(provide=[…])",
            )
        elif entry.declared.per == "call" and not per_call:
            self._report(
                where,
                "SP627",
                names,
                f"{_name(wanted)} is made for each call, and {chain[-1]} lives, or runs, outside of calls",
                f'write per="app" in the provider of {_name(wanted)}'
                + ("" if any(root.name == chain[-1] for root in self.roots) else ', or per="call" in what needs it'),
            )
        elif entry.state == "open":
            self._report(
                entry.declared.source,
                "SP626",
                names,
                f"{_name(wanted)} needs itself",
                "take one of them apart, so that neither needs the other",
            )
        elif entry.state == "new":
            entry.state = "open"
            for _, needed in entry.needs:
                self._follow(needed, names, entry.declared.source, per_call=entry.declared.per == "call")
            entry.state = "done"
            self._order.append(entry)

    def _report(self, where: Source, code: str, names: list[str], what: str, fix: str) -> None:
        self.report.add(where, code, f"{' → '.join(names)}: {what}", fix)

    # -- the providers themselves

    def _read(self, provider: Provider) -> None:
        if not isinstance(provider.type, type) or provider.type in RESERVED or _is_builtin(provider.type):
            self._add(
                provider,
                "SP621",
                f"{shown(provider.type)} is not a class that can be provided",
                "provide a class of your own, or wrap the value in one",
            )
            return
        if provider.per not in ("app", "call"):
            self._add(
                provider,
                "SP623",
                f"per={shown(provider.per)} is neither 'app' nor 'call'",
                'write per="app" or per="call"',
            )
            return
        other = self.entries.setdefault(provider.type, _Entry(provider))
        if other.declared is not provider:
            self._add(
                provider,
                "SP622",
                f"{_name(provider.type)} is already provided by {shown(other.declared.factory)}",
                "keep one of the two; a test puts another value in place with app.override(…)",
            )

    def _read_factory(self, entry: _Entry) -> None:
        provider = entry.declared
        try:
            parameters = list(inspect.signature(provider.factory).parameters.values())
        except (TypeError, ValueError):
            self._add(
                provider,
                "SP624",
                f"{shown(provider.factory)} is not a function that makes a {_name(provider.type)}",
                "give a function, an async function or a generator",
            )
            return
        found: list[tuple[str, type]] = []
        for parameter in parameters:
            wanted = self._wanted(provider.factory, parameter)
            optional = parameter.default is not parameter.empty
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if parameter.kind is parameter.POSITIONAL_ONLY:
                self._add(
                    provider,
                    "SP624",
                    f"{shown(provider.factory)}: the parameter {parameter.name} has to be given by its position, and "
                    "what is provided is given by name",
                    "remove the / from its parameters",
                )
            elif wanted is Context and not (optional and provider.per == "app"):
                self._take_context(entry, parameter.name)
            elif wanted is not None and (not optional or wanted in self.entries or wanted in GIVEN):
                found.append((parameter.name, wanted))
            elif not optional:
                self._add(
                    provider,
                    "SP628",
                    f"{_name(provider.type)}: nothing says what the parameter {parameter.name} of "
                    f"{shown(provider.factory)} asks for",
                    f"annotate it with a class that is provided ({listed(_name(key) for key in self.entries)}), "
                    "or give it a default",
                )
        entry.needs = tuple(found)

    def _take_context(self, entry: _Entry, parameter: str) -> None:
        entry.context = parameter
        if entry.declared.per == "app":
            self._add(
                entry.declared,
                "SP627",
                f"{_name(entry.declared.type)} → Context: a context belongs to one call, and "
                f"{_name(entry.declared.type)} is made once for the application",
                'write per="call"',
            )

    def _wanted(self, function: Callable[..., Any], parameter: inspect.Parameter) -> type | None:
        """The class that a parameter is annotated with; of a union the one that is provided."""
        if parameter.annotation is parameter.empty:
            return None
        made = getattr(function, "__init__", None) if isinstance(function, type) else function
        scope = getattr(inspect.unwrap(cast("Any", made)), "__globals__", {})
        known: dict[str, Any] = {_name(key): key for key in (*RESERVED, *self.entries)}
        named = [cls for cls, _ in classes_in(resolved(parameter.annotation, scope, known)) if isinstance(cls, type)]
        provided = [cls for cls in named if cls in self.entries or cls in RESERVED]
        candidates = provided or [cls for cls in named if not _is_builtin(cls)]
        return candidates[0] if candidates else None

    def _add(self, provider: Provider, code: str, message: str, fix: str) -> None:
        self.report.add(provider.source, code, message, fix)


_CONTEXT_FIX = 'only the factory of a provider with per="call" takes a Context, and takes it as ctx: Context'


def _yields(factory: Callable[..., Any]) -> bool:
    return inspect.isgeneratorfunction(factory) or inspect.isasyncgenfunction(factory)


def _is_builtin(cls: type) -> bool:
    return cls.__module__ == "builtins"


def _name(cls: Any) -> str:
    return str(getattr(cls, "__name__", cls))
