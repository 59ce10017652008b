"""Compares an answer with what the model expects, and binds the model's symbols to the ids that services make."""

from __future__ import annotations

import re
from typing import Any

from .model import Answer

SYMBOL = re.compile(r"@\d{3}\.\d{2}\.[a-z]{3}")
ID = re.compile(r"[a-z]{2,8}_[0-9a-f]{32}")


class Names:
    """Which id of a service each symbol is."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.symbols: dict[str, str] = {}

    def id(self, symbol: str) -> str:
        """The id of a symbol; one that names nothing where no row was made for it."""
        found = self.ids.get(symbol)
        if found is None:
            number, count, prefix = symbol[1:].split(".")
            return f"{prefix}_{'f' * 26}{number}0{count}"
        return found

    def sent(self, value: Any) -> Any:
        """A value with ids for symbols."""
        if isinstance(value, str):
            return SYMBOL.sub(lambda found: self.id(found[0]), value) if "@" in value else value
        if isinstance(value, dict):
            return {key: self.sent(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.sent(item) for item in value]
        return value

    def named(self, value: Any) -> Any:
        """A value with symbols for ids."""
        if isinstance(value, str):
            return ID.sub(lambda found: self.symbols.get(found[0], found[0]), value)
        if isinstance(value, dict):
            return {key: self.named(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.named(item) for item in value]
        return value if value is None or isinstance(value, bool | int | float) else self.named(str(value))

    def bind(self, symbol: str, found: Any) -> bool:
        """Whether a value is the id of a symbol; the first time it is met it becomes so."""
        known = self.ids.get(symbol)
        if known is not None or not isinstance(found, str) or not ID.fullmatch(found) or found in self.symbols:
            return known == found
        if not found.startswith(symbol.rpartition(".")[2] + "_"):
            return False
        self.ids[symbol], self.symbols[found] = found, symbol
        return True


def differences(expected: Any, found: Any, names: Names, path: str = "") -> list[str]:
    """Where a value is not what is expected."""
    if isinstance(expected, dict) and isinstance(found, dict):
        problems = [f"{path}.{name} is missing" for name in expected if name not in found]
        problems += [f"{path}.{name} is not expected" for name in found if name not in expected]
        for name in expected:
            if name in found:
                problems += differences(expected[name], found[name], names, f"{path}.{name}")
        return problems
    if isinstance(expected, list) and isinstance(found, list):
        problems = []
        if len(expected) != len(found):
            problems.append(f"{path} has {len(found)} entries, and {len(expected)} were expected")
        for number, (left, right) in enumerate(zip(expected, found, strict=False)):
            problems += differences(left, right, names, f"{path}.{number}")
        return problems
    if isinstance(expected, str) and SYMBOL.fullmatch(expected):
        return [] if names.bind(expected, found) else [f"{path} is {names.named(found)!r}, expected {expected}"]
    same = expected == found and isinstance(expected, bool) == isinstance(found, bool)
    return [] if same else [f"{path} is {names.named(found)!r}, expected {expected!r}"]


def answered(expected: Answer, status: int, body: Any, etag: str | None, names: Names) -> list[str]:
    """Where an answer of REST is not what is expected."""
    if expected.status == 0:  # one of two errors, and which is not documented
        codes = str(expected.code).split(" or ")
        right = status in (409, 422) and body["error"]["code"] in codes
        return [] if right else [f"status {status}, expected {expected.code}: {body}"]
    if status != expected.status:
        return [f"status {status}, expected {expected.status} {expected.code or ''}: {names.named(body)}"]
    if expected.code is not None:
        error = body["error"]
        problems = [] if error["code"] == expected.code else [f"code {error['code']}, expected {expected.code}"]
        paths = {detail["path"] for detail in error.get("details") or []}
        if expected.paths is not None and paths not in (expected.paths, *expected.others):
            problems.append(f"details at {sorted(paths)}, expected {sorted(expected.paths)}")
        return problems
    if expected.empty:
        return [] if body is None else [f"a body: {body}"]
    found = body["data"]
    if expected.loose:
        found = {name: value for name, value in found.items() if name in expected.data}
    problems = differences(expected.data, found, names, "data")
    meta = {name: value for name, value in (body.get("meta") or {}).items() if name != "requestId"}
    if meta.get("nextCursor"):
        meta["nextCursor"] = True
    problems += differences(expected.meta or {}, meta, names, "meta")
    if expected.version is None:
        return problems + ([] if etag is None else [f"ETag {etag}, and none was expected"])
    right = etag is not None and etag.startswith(f'"{expected.version}-')
    return problems + ([] if right else [f"ETag {etag}, expected version {expected.version}"])


def comparable(status: int, body: Any, names: Names) -> Any:
    """What has to be the same on both databases: everything but what is made up for each answer."""
    return status, _comparable(names.named(body))


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _comparable(item) for name, item in value.items() if name != "requestId"}
    if kept.get("nextCursor"):
        kept["nextCursor"] = True
    if isinstance(kept.get("etag"), str):
        kept["etag"] = kept["etag"].partition("-")[0]
    return kept
