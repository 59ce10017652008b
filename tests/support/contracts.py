"""Small contracts from a few words, and their plans."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from types import ModuleType

from sternpost import Contract, Settings, Sternpost
from sternpost.compile.compiler import compile_contract
from sternpost.plan.model import Plan

_MODULE = "contract_of_a_test"
_HEAD = """
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID
from sternpost import Contract, Create, Json, Many, One, Read, Resource, check, field, many, no_overlap, one, public, this
"""


def contract_text(
    tables: Mapping[str, Mapping[str, str]],
    *,
    linked: bool = False,
    audited: Collection[str] = (),
    rules: Mapping[str, str] | None = None,
) -> str:
    """The source of a contract: by resource, by field, what stands behind the colon; `rules` are further keywords."""
    lines = ["from __future__ import annotations", _HEAD]
    for number, (name, fields) in enumerate(tables.items()):
        audit = ", audit=True" if name in audited else ""
        more = f", {rules[name]}" if rules and rules.get(name) else ""
        lines.append(f'class {name}(Resource, prefix="r{chr(97 + number)}"{audit}{more}):')
        lines.append(f'    """A {name.lower()}."""')
        lines += [f"    {field}: {text}" for field, text in fields.items()]
        if linked and number == 0 and len(tables) > 1:
            lines.append(f'    others: Many[{list(tables)[1]}] = many(through="pairs")')
        lines += ["    read = Read(allow=public)", "    create = Create(allow=public)"]
    lines.append(f'contract = Contract("small", resources=[{", ".join(tables)}])')
    return "\n".join(lines)


@contextmanager
def contract_of(text: str) -> Generator[Contract]:
    """A contract's source, run in this process; its names can be resolved within."""
    module = ModuleType("contract_of_a_test")
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, "contract_of_a_test.py", "exec"), module.__dict__)
        yield module.__dict__["contract"]
    finally:
        del sys.modules[module.__name__]


def plan_of(text: str) -> Plan:
    """The plan of a contract's source."""
    with contract_of(text) as contract:
        return compile_contract(contract).plan


def app_of(
    text: str,
    settings: Settings,
    write_log: Callable[[bytes], object] = lambda line: None,
    *,
    services: Collection[str] = (),
) -> Sternpost:
    """The application of a contract's source; `services` are functions in it."""
    with contract_of(text) as contract:
        functions = [vars(sys.modules["contract_of_a_test"])[name] for name in services]
        return Sternpost(contract, services=functions, settings=settings, write_log=write_log)
