"""What a service tells at its start of what it was given."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from sternpost.app import cautions as module
from sternpost.app.cautions import cautions
from sternpost.settings import load_settings
from sternpost.telemetry.events import NoWebsockets, SecretIsWeak, VariablesUnknown

STRONG = "0123456789abcdefghijklmnopqrstuv"
ALL_WELL: dict[str, str] = {"STERNPOST_JWT_SECRET": STRONG}


async def page(scope: Any, receive: Any, send: Any) -> None:
    """A mounted application."""


def test_nothing_is_told_where_all_is_well() -> None:
    assert find_spec("websockets") is not None
    assert list(cautions(load_settings(ALL_WELL), {"/pages": page})) == []


@pytest.mark.parametrize("name", ["STERNPOST_JWT_SECRET", "STERNPOST_SECRET_KEY", "STERNPOST_OPS_TOKEN"])
def test_a_weak_secret_is_told_in_development(name: str) -> None:
    weak = {**ALL_WELL, name: "a-short-one"}
    told = list(cautions(load_settings(weak)))
    assert told == [SecretIsWeak(variable=name, reason="it has 11 bytes, fewer than 32")]
    assert "a-short-one" not in str(told)
    assert list(cautions(load_settings({**weak, "STERNPOST_ENV": "test"}))) == []


def test_a_variable_that_is_mistyped_is_told_without_its_value() -> None:
    told = list(cautions(load_settings({**ALL_WELL, "STERNPOST_JWT_SECERT": "s3cret"})))
    assert told == [VariablesUnknown(variables={"STERNPOST_JWT_SECERT": "STERNPOST_JWT_SECRET"})]
    assert "s3cret" not in str(told)


def test_mounts_without_the_library_for_websockets_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_websockets", lambda: False)
    assert list(cautions(load_settings(ALL_WELL), {})) == []
    (told,) = cautions(load_settings(ALL_WELL), {"/b": page, "/a": page})
    assert isinstance(told, NoWebsockets)
    assert told.mounts == ["/a", "/b"]
    assert "pip install 'sternpost[websockets]'" in told.fix
