"""The peer: Litestar with Advanced Alchemy's SQLAlchemy plugin. HARDENED=1 adds the hardened profile; see hardened.py."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
)
from litestar import Litestar, Request, Router, get, post
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from store import User, database_url, new_id

HARDENED = os.environ["HARDENED"] == "1"
EMAIL = r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$"


class UserOut(msgspec.Struct, rename="camel"):
    id: UUID
    name: str
    email: str
    status: str
    created_at: datetime
    updated_at: datetime


class Meta(msgspec.Struct, rename="camel", omit_defaults=True):
    request_id: str | None = None


class PageMeta(msgspec.Struct, rename="camel", omit_defaults=True):
    page: int
    page_size: int
    total_count: int
    total_pages: int
    request_id: str | None = None


class One(msgspec.Struct):
    data: UserOut
    meta: Meta


class Many(msgspec.Struct):
    data: list[UserOut]
    meta: PageMeta


class UserIn(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    email: Annotated[str, msgspec.Meta(max_length=254, pattern=EMAIL)] if HARDENED else str


def shown(user: User) -> UserOut:
    return UserOut(user.id, user.name, user.email, user.status, user.created_at, user.updated_at)


def request_id(request: Request[Any, Any, Any]) -> str | None:
    return request.state.request_id if HARDENED else None


if HARDENED:
    from hardened import hardening, may_read

    GUARDS = [may_read]
else:
    GUARDS = []


@get("/{user_id:uuid}", guards=GUARDS)
async def read(request: Request[Any, Any, Any], user_id: UUID, db_session: AsyncSession) -> One:
    user = await db_session.get(User, user_id)
    if user is None:
        raise NotFoundException
    return One(shown(user), Meta(request_id(request)))


@get("/", guards=GUARDS)
async def browse(
    request: Request[Any, Any, Any],
    db_session: AsyncSession,
    status: Literal["pending", "active", "suspended"],
    page: Annotated[int, Parameter(ge=1)] = 1,
    page_size: Annotated[int, Parameter(query="pageSize", ge=1, le=100)] = 20,
) -> Many:
    chosen = select(User).where(User.status == status).order_by(User.id).limit(page_size).offset((page - 1) * page_size)
    users = (await db_session.scalars(chosen)).all()
    total = await db_session.scalar(select(func.count()).select_from(User).where(User.status == status)) or 0
    meta = PageMeta(page, page_size, total, -(-total // page_size), request_id(request))
    return Many([shown(user) for user in users], meta)


@post("/")
async def create(request: Request[Any, Any, Any], data: UserIn, db_session: AsyncSession) -> One:
    now = datetime.now(UTC)
    user = User(id=new_id(), name=data.name, email=data.email, status="pending", created_at=now, updated_at=now)
    db_session.add(user)
    await db_session.commit()
    return One(shown(user), Meta(request_id(request)))


alchemy = SQLAlchemyPlugin(
    SQLAlchemyAsyncConfig(
        connection_string=database_url(os.environ["DATABASE_URL"]),
        engine_config=EngineConfig(pool_size=int(os.environ["POOL_SIZE"]), max_overflow=0),
        session_config=AsyncSessionConfig(expire_on_commit=False),
        create_all=False,
    )
)
more: dict[str, Any] = hardening() if HARDENED else {}
app = Litestar(
    [Router("/api/v1/users", route_handlers=[read, browse, create]), *more.pop("route_handlers", [])],
    plugins=[alchemy, *more.pop("plugins", [])],
    openapi_config=None,
    **more,
)
