"""While developing, a database of an earlier contract is kept, never changed and never deleted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from shop.app import app

from sternpost import Settings
from sternpost.cli.dev import set_other_schema_aside
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sqlite.dialect import SqliteDialect


def write(path: Path, fingerprint: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sternpost_schema (fingerprint TEXT)")
        connection.execute("INSERT INTO sternpost_schema VALUES (?)", (fingerprint,))
        connection.commit()


def settings(path: Path, env: str = "development") -> Settings:
    return Settings.model_validate({"database_url": f"sqlite:///{path}", "env": env})


def test_an_earlier_schema_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    for number in (1, 2):
        write(path, f"earlier {number}")
        path.with_name("x.sqlite-wal").touch()
        assert set_other_schema_aside(settings(path), app.plan) == tmp_path / f"x.sqlite.{number}"
        assert not path.exists()
        assert not path.with_name("x.sqlite-wal").exists()
    with closing(sqlite3.connect(tmp_path / "x.sqlite.1")) as kept:
        assert kept.execute("SELECT fingerprint FROM sternpost_schema").fetchone() == ("earlier 1",)


def test_what_fits_or_is_not_ours_or_is_in_production_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    assert set_other_schema_aside(settings(path), app.plan) is None
    path.write_text("not a database")
    assert set_other_schema_aside(settings(path), app.plan) is None
    path.unlink()
    write(path, "earlier")
    assert set_other_schema_aside(settings(path, "production"), app.plan) is None
    path.unlink()
    write(path, Schema(app.plan, SqliteDialect()).fingerprint)
    assert set_other_schema_aside(settings(path), app.plan) is None
    assert path.exists()
