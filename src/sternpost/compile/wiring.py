"""Checks what an application adds to its contract: functions at start and stop, middleware, mounted applications."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.options import shown
from sternpost.compile.providers import ProviderCompiler
from sternpost.contract.source import Source
from sternpost.data.hooks import Hooks
from sternpost.data.providers import Injected, Maker, Needs
from sternpost.plan.model import Plan


@dataclass(frozen=True)
class Wired:
    """What an application adds to its contract, checked.

    Attributes:
        hooks: those of each operation that has some.
        injected: what of the parameters of each operation's function is provided.
        makers: the providers, in the order in which they can be made.
        middleware: the outermost first.
    """

    hooks: Mapping[str, Hooks] = field(default_factory=dict[str, Hooks])
    injected: Mapping[str, Needs] = field(default_factory=dict[str, Needs])
    makers: tuple[Maker, ...] = ()
    on_start: tuple[Injected, ...] = ()
    on_stop: tuple[Injected, ...] = ()
    middleware: tuple[Any, ...] = ()
    mounts: tuple[str, ...] = ()


NOTHING_WIRED = Wired()


def start_or_stop(
    keyword: str, declared: Any, where: Source, providers: ProviderCompiler, report: Report
) -> tuple[Injected, ...]:
    """The functions of `on_start` or `on_stop`."""
    if isinstance(declared, str) or not isinstance(declared, Sequence):
        report.add(where, "SP630", f"{keyword}={shown(declared)} is not a list", f"write {keyword}=[function]")
        return ()
    found: list[Injected] = []
    for function in cast("Sequence[Any]", declared):
        code = getattr(function, "__code__", None)
        place = Source(code.co_filename, code.co_firstlineno) if code else where
        if not inspect.iscoroutinefunction(function):
            report.add(
                place,
                "SP630",
                f"{shown(function)} in {keyword} is not an async function",
                f"write async def {getattr(function, '__name__', 'prepare')}()",
            )
            continue
        kinds = [parameter.kind for parameter in inspect.signature(function).parameters.values()]
        if any(kind is not inspect.Parameter.KEYWORD_ONLY for kind in kinds):
            report.add(
                place,
                "SP630",
                f"{shown(function)} in {keyword} is called without arguments, but for what is provided",
                f"write async def {function.__name__}(*, mailer: Mailer), or leave the parameters out",
            )
            continue
        found.append(Injected(function, providers.needs_of(function, place, per_call=False)))
    return tuple(found)


def middleware_of(declared: Any, where: Source, report: Report) -> tuple[Any, ...]:
    """The middleware, each of which makes an ASGI application of another one."""
    if isinstance(declared, str) or not isinstance(declared, Sequence):
        report.add(where, "SP631", f"middleware={shown(declared)} is not a list", "write middleware=[GZipMiddleware]")
        return ()
    found = tuple(cast("Sequence[Any]", declared))
    for each in found:
        if not callable(each):
            report.add(
                where,
                "SP631",
                f"{shown(each)} in middleware takes no application",
                "name the class, or write partial(GZipMiddleware, minimum_size=500) for one with options",
            )
        elif inspect.iscoroutinefunction(each):
            report.add(
                where,
                "SP631",
                f"{shown(each)} in middleware is an application itself, or takes requests",
                "name a class that is called with the application that it wraps",
            )
    return found


def mounted_below(declared: Any, plan: Plan, where: Source, report: Report) -> tuple[str, ...]:
    """The prefixes of mounted applications."""
    if not declared:
        return ()
    if not isinstance(declared, Mapping):
        report.add(
            where,
            "SP632",
            f"mounts is a {type(declared).__name__}, and no dictionary",
            'write mounts={"/admin": admin}, by prefix',
        )
        return ()
    prefixes = tuple(cast("Mapping[Any, Any]", declared))
    for prefix in prefixes:
        if not isinstance(prefix, str) or not prefix.startswith("/"):
            report.add(
                where,
                "SP632",
                f"the prefix {shown(prefix)} of a mounted application begins with no slash",
                'write mounts={"/admin": admin}',
            )
        elif f"{prefix.rstrip('/')}/".startswith(f"{plan.base_path}/"):
            report.add(
                where,
                "SP632",
                f"the prefix {shown(prefix)} of a mounted application is below {plan.base_path}, where the contract is",
                "choose another prefix",
            )
    return prefixes
