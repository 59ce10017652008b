"""Functions whose parameters stand in another order than that in which their values are passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from sternpost import Change, Context, Contract, Create, Custom, Delete, Payload, Resource, Transition, Update, field, implements, public

if TYPE_CHECKING:
    from elsewhere import Context as Ctx


class Named(Payload):
    name: str


class User(Resource, prefix="usr"):
    name: str
    state: str = field(default="a", write="never")
    create = Create(allow=public)


class Order(Resource, prefix="ord"):
    name: str

    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    rename = Custom(input=Named, allow=public)
    again = Custom(input=Named, allow=public)
    third = Custom(input=Named, allow=public)
    fine = Custom(input=Named, allow=public)
    hidden = Custom(allow=public)


@implements(Order.create)
async def create(change: Change[Order], ctx: Context) -> Order: ...


@implements(Order.update)
async def update(change, ctx): ...


@implements(Order.delete)
async def delete(ctx: Context, row: User) -> None: ...


@implements(Order.rename)
async def rename(ctx: Context, input: Named, row: Order) -> Order: ...


@implements(Order.again)
async def again(ctx, input, order): ...


@implements(User.create)
async def create_user(ctx: Context, change: Change[Order]) -> User: ...


@implements(Order.third)
async def third(ctx: Context, row: dict[str, Any], input: Annotated[Named, "said"]) -> Order: ...


@implements(Order.fine)
async def fine(whatever: Any, row: Order | User, body: Named | None) -> Order: ...


@implements(Order.hidden)
async def hidden(order: Order, ctx: Ctx) -> Order: ...


contract = Contract("shop", resources=[User, Order])
services = [create, update, delete, rename, again, create_user, third, fine, hidden]
