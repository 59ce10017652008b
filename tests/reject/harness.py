"""Compiles the contracts of this folder and shows what they are refused with; used by the tests and by `regenerate.py`."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from sternpost.compile.compiler import compile_contract
from sternpost.compile.diagnostics import ContractError
from sternpost.compile.source_rules import check_sources
from sternpost.contract.wiring import Wiring

WIRED = ("hooks", "provide", "on_start", "on_stop", "middleware", "mounts")
"""What a module may have beside its contract and services, as `Sternpost` takes it."""

CONTRACTS = Path(__file__).parent / "contracts"


def names() -> list[str]:
    """The contracts by the names of their files."""
    return sorted(path.stem for path in CONTRACTS.glob("*.py"))


def refusal(name: str) -> ContractError:
    """What compiling a contract raises. The current folder must be `CONTRACTS`, so that no text depends on the machine."""
    module = _load(name)
    wiring = Wiring(**{name: getattr(module, name) for name in WIRED if hasattr(module, name)})
    try:
        compiled = compile_contract(module.contract, getattr(module, "services", ()), wiring)
        if broken := check_sources(compiled.functions.values()):
            raise ContractError(broken)
    except ContractError as error:
        return error
    finally:
        del sys.modules[module.__name__]
    raise AssertionError(f"{name} compiles, but every contract of this folder must be refused")


def _load(name: str) -> ModuleType:
    """The contract's module; while it is compiled it is registered, because its types are looked up in it."""
    spec = spec_from_file_location(f"rejected_{name}", CONTRACTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected(name: str) -> str:
    """The text that stands beside a contract."""
    return (CONTRACTS / f"{name}.txt").read_text(encoding="utf-8")
