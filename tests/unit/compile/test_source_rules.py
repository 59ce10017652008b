"""What the two rules about the source of services leave alone; what they report is in `tests/reject` (SP635–SP637)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sternpost.compile.source_rules import check_file, check_sources

FINE = [
    "try:\n    f()\nexcept KeyError:\n    x = None\n",
    "def f():\n    try:\n        return g()\n    except LookupError:\n        return None\n",
    "try:\n    f()\nexcept Exception as error:\n    tell(error)\n",
    "try:\n    f()\nexcept Exception:\n    raise RuntimeError from None\n",
    "try:\n    f()\nexcept Exception:\n    log.exception('it failed')\n",
    "import contextlib\nwith contextlib.suppress(FileNotFoundError):\n    f()\n",
    "async def f():\n    found = await gather(g(), return_exceptions=True)\n",
    "async def f():\n    await gather(g())\n",
    "try:\n    f()\nfinally:\n    done()\n",
    "PRICES = {'a': 1}\ndef f(name):\n    return PRICES[name]\n",
    "NAMES = ['a', 'b']\n",
    "__all__ = []\n",
    "services = [f, g]\n",
    "def f():\n    seen = {}\n    seen['a'] = 1\n    seen.update(b=2)\n    return seen\n",
    "SEEN = {'a': 1}\ndef f(SEEN):\n    SEEN['b'] = 2\n",
    "def f(values=()):\n    return values\n",
    "def f(values=None):\n    values = values or []\n    values.append(1)\n",
    "class A:\n    kinds = ('a',)\n    names = ['a']\n",
    "class A:\n    def __init__(self):\n        self.items = []\n        self.items.append(1)\n",
    "import client\ndef f():\n    client.cache.clear()\n    client.update()\n",
    "def f(row):\n    row.note = 'x'\n    del row.old\n",
    "def f():\n    with open('x') as file:\n        file.closed = True\n    for each in g():\n        each.seen = True\n",
    "KEPT = {}  # sternpost: allow[state] filled at import from a file, and read only\n",
    "# sternpost: allow[state] filled at import from a file, and read only\nKEPT = {}\n",
    "try:\n    f()\nexcept OSError:\n    pass  # sternpost: allow[swallowed] the file is a copy that nobody needs\n",
]

BROKEN = [
    ("SEEN: dict[str, int] = dict[str, int]()\n", "SP636"),
    ("from collections import deque\nLAST = deque(maxlen=9)\n", "SP636"),
    ("A = [1]\nasync def f():\n    A[0] += 1\n", "SP636"),
    ("A = [1]\nasync def f():\n    del A[0]\n", "SP636"),
    ("from state import SEEN\ndef f():\n    SEEN['a'] = 1\n", "SP636"),
    ("from functools import cache\n@cache\ndef f():\n    return 1\n", "SP636"),
    ("def outer():\n    def inner(seen={}):\n        return seen\n", "SP636"),
    ("try:\n    f()\nexcept (KeyError, Exception):\n    x = 1\n", "SP635"),
    ("try:\n    f()\nexcept* Exception:\n    x = 1\n", "SP635"),
    ("try:\n    f()\nexcept builtins.BaseException:\n    x = 1\n", "SP635"),
    ("try:\n    f()\nexcept ValueError:\n    'nothing'\n", "SP635"),
    ("KEPT = {}  # sternpost: allow[swallowed] this is about something else\n", "SP636"),
    ("KEPT = {1: 2}  # sternpost: allow[state]\n", "SP637"),
    ("x = 1  # sternpost: allow[] whatever it is\n", "SP637"),
]


def codes(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "services.py"
    file.write_text(text, encoding="utf-8")
    return [diagnostic.code for diagnostic in check_file(str(file))]


@pytest.mark.parametrize("text", FINE)
def test_what_is_fine(tmp_path: Path, text: str) -> None:
    assert codes(tmp_path, text) == []


@pytest.mark.parametrize(("text", "code"), BROKEN)
def test_what_is_not(tmp_path: Path, text: str, code: str) -> None:
    assert codes(tmp_path, text) == [code]


def test_what_is_no_python_is_left_alone(tmp_path: Path) -> None:
    assert codes(tmp_path, "def (") == []
    assert check_file(str(tmp_path / "missing.py")) == []


def test_installed_libraries_are_not_the_authors() -> None:
    assert check_sources([json.loads, pytest.raises, check_file, print]) == []


def test_the_example_keeps_the_rules() -> None:
    from shop import services

    assert check_sources(vars(services).values()) == []
