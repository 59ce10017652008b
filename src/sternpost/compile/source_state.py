"""State that a module keeps between calls: what is filled, replaced or counted in it while it serves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

Finding = tuple[Any, str, str]
"""The statement, what is wrong with it, and the fix."""

Function = ast.FunctionDef | ast.AsyncFunctionDef

_MAKERS = frozenset(
    [
        *("list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict", "ChainMap"),
        *("WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "LRUCache", "TTLCache"),
    ]
)
_MUTATORS = frozenset(
    [
        *("append", "appendleft", "add", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem"),
        *("popleft", "remove", "reverse", "setdefault", "sort", "update", "subtract", "rotate"),
    ]
)
_CACHES = ("cache", "lru_cache", "cached", "alru_cache")
_FIX = "keep it in the database, or in a provider that says how long it lives"


def kept_between_calls(tree: ast.Module) -> Iterator[Finding]:
    """What calls of one process would share."""
    shared = _shared(tree)
    changed = {name for function in _functions(tree) for name, _ in _changed(function, set(shared))}
    for name, (node, value) in shared.items():
        if value is not None and _is_mutable(value) and (name in changed or _is_empty(value)):
            yield node, f"{name} is shared by all calls, and is changed while they run", _FIX
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node, tree)
    for function in _functions(tree):
        yield from _of_function(function)
        for name, node in _changed(function, set(shared)):
            value = shared[name][1]
            if not isinstance(node, ast.Call) and (value is None or not _is_mutable(value)):
                yield node, f"{function.name} changes {name}, which all calls share", _FIX


def _shared(tree: ast.Module) -> dict[str, tuple[ast.stmt, ast.expr | None]]:
    """The names of a module, each with the value that it is given; None for what is imported or defined."""
    found: dict[str, tuple[ast.stmt, ast.expr | None]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            found.update({target.id: (node, node.value) for target in node.targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found[node.target.id] = (node, node.value)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update({(alias.asname or alias.name).partition(".")[0]: (node, None) for alias in node.names})
        elif isinstance(node, Function | ast.ClassDef):
            found[node.name] = (node, None)
    return {name: value for name, value in found.items() if not (name.startswith("__") and name.endswith("__"))}


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _of_function(function: Function) -> Iterator[Finding]:
    arguments = function.args
    for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
        if _is_mutable(default):
            yield (
                default,
                f"{function.name} has a default that all its calls share",
                "write None, and make it in the function",
            )
    for decorator in function.decorator_list:
        made = decorator.func if isinstance(decorator, ast.Call) else decorator
        if _last(made) in _CACHES:
            yield function, f"{function.name} keeps what it has returned, for all callers and tenants", _FIX
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield node, f"{function.name} replaces {', '.join(node.names)}, which all calls share", _FIX


def _of_class(cls: ast.ClassDef, tree: ast.Module) -> Iterator[Finding]:
    """Values that all instances of a class share."""
    changed = {
        node.func.value.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _MUTATORS
        and isinstance(node.func.value, ast.Attribute)
    }
    for node in cls.body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if not isinstance(target, ast.Name) or value is None or not _is_mutable(value):
                continue
            if target.id in changed or _is_empty(value):
                yield node, f"{cls.name}.{target.id} is shared by all calls, and is changed while they run", _FIX


def _changed(function: Function, shared: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """The shared names whose value a function changes, with the place. A name of its own hides a shared one."""
    own = _own_names(function)
    for node in ast.walk(function):
        for target in _targets(node):
            root = _root(target)
            if isinstance(target, ast.Attribute | ast.Subscript) and root in shared and root not in own:
                yield root, node


def _targets(node: ast.AST) -> list[ast.expr]:
    """What a statement or a call changes."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return [node.target]
    if isinstance(node, ast.Delete):
        return node.targets
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
        # of a name alone: what `client.cache.clear()` does, nobody can see from here
        return [node.func] if isinstance(node.func.value, ast.Name) else []
    return []


def _root(target: ast.expr) -> str:
    while isinstance(target, ast.Attribute | ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _own_names(function: Function) -> set[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    globals_ = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
    return ({each.arg for each in every} | stored) - globals_


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp):
        return True
    return isinstance(value, ast.Call) and _last(value.func) in _MAKERS


def _is_empty(value: ast.expr) -> bool:
    """Whether there is nothing in it yet, so that it is there to be filled."""
    if isinstance(value, ast.List | ast.Set):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    if not isinstance(value, ast.Call):
        return False
    made = _last(value.func)
    return not value.args or made in ("defaultdict", "LRUCache", "TTLCache")


def _last(value: ast.expr) -> str:
    if isinstance(value, ast.Subscript):  # dict[str, int]()
        value = value.value
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""
