"""The peer: FastAPI with SQLAlchemy's asyncio extension. HARDENED=1 adds what the hardened profile names; see hardened.py."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, EmailStr, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from store import User, make_engine, make_sessions, new_id

HARDENED = os.environ["HARDENED"] == "1"
engine = make_engine(os.environ["DATABASE_URL"], int(os.environ["POOL_SIZE"]))
sessions = make_sessions(engine)


class Out(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class UserOut(Out):
    id: UUID
    name: str
    email: str
    status: str
    created_at: datetime
    updated_at: datetime


class Meta(Out):
    request_id: str | None = None


class PageMeta(Meta):
    page: int
    page_size: int
    total_count: int
    total_pages: int


class One(Out):
    data: UserOut
    meta: Meta


class Many(Out):
    data: list[UserOut]
    meta: PageMeta


class UserIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    email: EmailStr if HARDENED else str


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
Status = Literal["pending", "active", "suspended"]

if HARDENED:
    from hardened import harden, limited, reader, signed_in

    READ, WRITE = [Depends(reader)], [Depends(signed_in)]
else:
    READ, WRITE = [], []

    def limited(endpoint):
        return endpoint


def request_id(request: Request) -> str | None:
    return request.state.request_id if HARDENED else None


router = APIRouter(prefix="/api/v1/users")
SHOWN = {"response_model_exclude_none": not HARDENED}


@router.get("/{id}", dependencies=READ, **SHOWN)
@limited
async def read(request: Request, id: UUID, session: Session) -> One:
    user = await session.get(User, id)
    if user is None:
        raise HTTPException(404, "NOT_FOUND")
    return One(data=UserOut.model_validate(user), meta=Meta(request_id=request_id(request)))


@router.get("", dependencies=READ, **SHOWN)
@limited
async def browse(
    request: Request,
    session: Session,
    status: Status,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(alias="pageSize", ge=1, le=100)] = 20,
) -> Many:
    chosen = select(User).where(User.status == status).order_by(User.id).limit(page_size).offset((page - 1) * page_size)
    users = (await session.scalars(chosen)).all()
    total = await session.scalar(select(func.count()).select_from(User).where(User.status == status)) or 0
    meta = PageMeta(
        page=page,
        page_size=page_size,
        total_count=total,
        total_pages=-(-total // page_size),
        request_id=request_id(request),
    )
    return Many(data=[UserOut.model_validate(user) for user in users], meta=meta)


@router.post("", status_code=201, dependencies=WRITE, **SHOWN)
@limited
async def create(request: Request, body: UserIn, session: Session) -> One:
    now = datetime.now(UTC)
    user = User(id=new_id(), name=body.name, email=body.email, status="pending", created_at=now, updated_at=now)
    session.add(user)
    await session.commit()
    return One(data=UserOut.model_validate(user), meta=Meta(request_id=request_id(request)))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.include_router(router)
if HARDENED:
    harden(app)
