"""The original beside what is served, and settings for it."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from sternpost import Settings
from tests.conftest import SECRET

KEY = "of-these-tests-9b1d5c7e2f4a6083b5d7e9f1a2c3"


class Original:
    """SQL on the original file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, arguments).fetchall()

    def one(self, sql: str, *arguments: Any) -> Any:
        return self.rows(sql, *arguments)[0][0]


def settings_for(url: str, **more: Any) -> Settings:
    return Settings(**{"env": "test", "database_url": url, "jwt_secret": SECRET, "secret_key": KEY, **more})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
