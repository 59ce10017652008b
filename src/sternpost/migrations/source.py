"""Migration files as Python that is read, and edited by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from sternpost.ports.schema import Sql, Type, types
from sternpost.ports.steps import Step

WIDTH = 116
_NAMED = (
    *("rules", "indexes", "overlaps", "search", "keys", "start", "end", "form", "where", "values", "masked", "reals"),
)
_NAMES = {value: f"types.{name}" for name, value in vars(types).items() if isinstance(value, Type)}

_TEMPLATE = '''"""{title}"""

from sternpost.migrations import {imports}

revision = {revision}
down_revision = {before}
fingerprints = {{
    "sqlite": "{sqlite}",
    "postgresql": "{postgresql}",
}}
irreversible = {irreversible}


def upgrade() -> list[Step]:
    """The steps of the migration."""
    return {up}


def downgrade() -> list[Step]:
    """The steps that undo it."""
    return {down}
'''


def rendered(
    title: str,
    revision: str,
    before: str | None,
    fingerprints: Mapping[str, str],
    up: Sequence[Step],
    down: Sequence[Step],
    irreversible: str | None,
) -> str:
    """The text of a migration file."""
    up_text, down_text = code(list(up), 4), code(list(down), 4)
    used = set(re.findall(r"\b([A-Z]\w+|sql|types)(?=[(.])", up_text + down_text)) | {"Step"}
    names = sorted(used & _public(), key=lambda name: (not name[0].isupper(), name))
    imports = ", ".join(names)
    if len(imports) > 80:
        imports = "(\n" + "".join(f"    {name},\n" for name in names) + ")"
    return _TEMPLATE.format(
        title=title.replace('"""', "'''").replace("\\", "/"),
        imports=imports,
        revision=_text(revision),
        before=_text(before) if before else None,
        irreversible=_text(irreversible) if irreversible else None,
        up=up_text,
        down=down_text,
        **fingerprints,
    )


def _public() -> set[str]:
    import sternpost.migrations

    return set(sternpost.migrations.__all__)


def code(value: Any, indent: int = 0) -> str:
    """A value as Python: on one line where it fits, else each part on its own."""
    if isinstance(value, str):
        return _text(value)
    parts = _parts(value)
    if parts is None:
        return repr(value)
    opening, items, closing = parts
    flat = opening + ", ".join(f"{name}{code(item, 0)}" for name, item in items)
    flat += "," if opening == "(" and len(items) == 1 else ""
    if "\n" not in flat and len(flat) + len(closing) + indent <= WIDTH:
        return flat + closing
    inner = " " * (indent + 4)
    lines = "".join(f"{inner}{name}{code(item, indent + 4)},\n" for name, item in items)
    return f"{opening}\n{lines}{' ' * indent}{closing}"


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str] | None:
    match value:
        case Type() if value in _NAMES:
            return _NAMES[value], [], ""
        case Type() if value.digits and value == types.decimal(*value.digits):
            return "types.decimal(", [("", number) for number in value.digits], ")"
        case Sql() if value.sqlite == value.postgresql:
            return "sql(", [("", value.sqlite)], ")"
        case Sql():
            given = [("sqlite=", value.sqlite), ("postgresql=", value.postgresql)]
            return "sql(", [(name, text) for name, text in given if text is not None], ")"
        case list():
            return "[", [("", item) for item in value], "]"  # pyright: ignore[reportUnknownVariableType]
        case tuple():
            return "(", [("", item) for item in value], ")"  # pyright: ignore[reportUnknownVariableType]
        case dict():
            return "{", [(f"{_text(str(key))}: ", item) for key, item in value.items()], "}"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return f"{type(value).__name__}(", _arguments(value), ")"
        case _:
            return None


def _arguments(value: Any) -> list[tuple[str, Any]]:
    """What differs from the defaults; by position as long as nothing was left out."""
    arguments: list[tuple[str, Any]] = []
    by_name = False
    for member in fields(value):
        if not member.metadata.get("in file", True):
            continue
        given = getattr(value, member.name)
        if member.default is not MISSING and given == member.default:
            by_name = True
            continue
        named = by_name or isinstance(given, bool) or member.name in _NAMED
        arguments.append((f"{member.name}=" if named else "", given))
        by_name = by_name or named
    return arguments


def _text(value: str) -> str:
    if '"' in value and "'" not in value and "\\" not in value and "\n" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
