"""Registers the marker of the long run, where the project does not yet."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes minutes; `make test-slow` runs it")
