"""Compiles an inferred contract. What the compiler does not take is left out, so that the rest can be served."""

from __future__ import annotations

import ast
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from sternpost.compile.compiler import compile_contract
from sternpost.compile.diagnostics import ContractError
from sternpost.errors import StartupError
from sternpost.infer.decide import infer
from sternpost.infer.model import Inferred, InferredTable
from sternpost.infer.source import write_contract
from sternpost.storage.sql.tables import Found

_MODULE = "inferred_contract"
_MAY_BE_LEFT_OUT = frozenset(
    {"default", "unique", "on_delete", "min_length", "max_length", "ge", "le", "filter", "description"}
)
"""Options without which the others still mean the same."""

Place = tuple[str, str, str]


def infer_proven(found: Found, name: str, *, write: bool) -> tuple[Inferred, str]:
    """What was decided about a database, and the contract that says it, which compiles.

    Args:
        name: the contract's name.
        write: whether rows may be created, changed and deleted.

    Raises:
        StartupError: the contract does not compile, whatever is left out.
    """
    refused: dict[Place, str] = {}
    while True:
        inferred = infer(found, refused)
        if not inferred.tables:
            return inferred, ""
        mistakes = _mistakes(inferred, write_contract(inferred, name, write=write, width=0))
        if not mistakes:
            if write:
                inferred.left_out.extend(inferred.not_written)
            return inferred, write_contract(inferred, name, write=write)
        more = {place: message for place, message in mistakes if place is not None and place not in refused}
        if not more:
            raise _bug([message for _, message in mistakes])
        refused |= more


def _bug(messages: list[str]) -> StartupError:
    shown = "".join(f"\n  {message}" for message in messages)
    return StartupError(
        f"The contract generated from this database does not compile, which is a bug in Sternpost:{shown}\n"
        "Please report it. To continue, choose tables that work with --tables, or leave some out with --exclude."
    )


def _mistakes(inferred: Inferred, text: str) -> list[tuple[Place | None, str]]:
    """What the compiler says about a contract, each with what it is about where that can be told."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "contract.py"
        file.write_text(text, encoding="utf-8")
        module = ModuleType(_MODULE)
        sys.modules[_MODULE] = module
        try:
            exec(compile(text, str(file), "exec"), vars(module))  # noqa: S102  (written just now, by us)
            compile_contract(vars(module)["contract"])
        except ContractError as error:
            found = [(each.source.line, f"{each.code} {each.message}") for each in error.diagnostics]
        except SyntaxError as error:
            return [(None, str(error))]  # without a tree there is nothing to name
        except (ValueError, TypeError, LookupError, ArithmeticError, NameError, AttributeError) as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
            found = [(frames[-1].lineno or 0 if frames else 0, f"{type(error).__name__}: {error}")]
        else:
            return []
        finally:
            del sys.modules[_MODULE]
    return [(_place(inferred, text, line), message) for line, message in found]


def _place(inferred: Inferred, text: str, line: int) -> Place | None:
    """What a line of the contract is about: an option, a member or a class, the first of these that can be left out."""
    tables = {table.name: table for table in inferred.tables}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name in tables and node.lineno <= line <= (node.end_lineno or 0):
            return _within(tables[node.name], node, line)
    return None


def _within(table: InferredTable, node: ast.ClassDef, line: int) -> Place:
    if "unique" in _keywords(node.keywords, line):
        return table.name, "", "unique"
    members = {found.name for found in (*table.fields, *table.lists)}
    for statement in node.body:
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
            continue
        if statement.target.id in members and statement.lineno <= line <= (statement.end_lineno or 0):
            given = statement.value.keywords if isinstance(statement.value, ast.Call) else []
            option = next((name for name in _keywords(given, line) if name in _MAY_BE_LEFT_OUT), "")
            return table.name, statement.target.id, option
    return table.name, "", ""


def _keywords(keywords: list[ast.keyword], line: int) -> Iterator[str]:
    """The keywords that have a line, which is one where each has its own."""
    return (each.arg for each in keywords if each.arg and each.lineno <= line <= (each.end_lineno or 0))
