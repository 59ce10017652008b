"""The users table for SQLAlchemy, on PostgreSQL (asyncpg) and SQLite (aiosqlite)."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import DateTime, Text, TypeDecorator, Uuid, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SQLITE = os.environ["DATABASE_URL"].startswith("sqlite")
ISO = "%(year)04d-%(month)02d-%(day)02dT%(hour)02d:%(minute)02d:%(second)02d.%(microsecond)06d"


class UtcText(TypeDecorator[datetime]):
    """SQLite has no zones: instants are kept in UTC."""

    impl = sqlite.DATETIME(storage_format=ISO)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


Moment = UtcText() if SQLITE else DateTime(timezone=True)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, unique=True)
    status: Mapped[str] = mapped_column(Text, index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


def database_url(url: str) -> str:
    """The URL with SQLAlchemy's name of the driver."""
    return url.replace("sqlite:", "sqlite+aiosqlite:") if SQLITE else url.replace("postgresql:", "postgresql+asyncpg:")


def prepare_sqlite(connection, record) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def make_engine(url: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(database_url(url), pool_size=pool_size, max_overflow=0)
    if SQLITE:
        event.listen(engine.sync_engine, "connect", prepare_sqlite)
    return engine


def make_sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """As the documentation of the asyncio extension has it: nothing is read again after a commit."""
    return async_sessionmaker(engine, expire_on_commit=False)


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562, 5.7), so that new rows are neighbours in the index, as everybody's here."""
    value = int.from_bytes(os.urandom(10))
    milliseconds = time.time_ns() // 1_000_000
    return UUID(int=milliseconds << 80 | 7 << 76 | (value >> 64 & 0xFFF) << 64 | 2 << 62 | value & (2**62 - 1))
