"""What the shop does beyond storing things: prices come from the products, and placing an order takes from the stock."""

from __future__ import annotations

from shop.contract import NotEnoughStock, Order, OrderEmpty, Product
from sternpost import Change, Conflict, Context, Detail, ReferenceNotFound, implements


@implements(Order.create, Order.replace, Order.update)
async def write_order(ctx: Context, change: Change[Order]) -> Order:
    """Puts each product's present price into the items. Only a draft can be changed."""
    if change.current is not None and change.current.status != "draft":
        raise Conflict(f"The order is {change.current.status}; only a draft can be changed")
    if change.get("items"):
        await price_items(ctx, change)
    return await change.apply()


async def price_items(ctx: Context, change: Change[Order]) -> None:
    """Sets `unit_price_cents` of every item; 422 for products that do not exist."""
    wanted = {item["product_id"] for item in change["items"]}
    products = {product.id: product for product in await ctx.repository(Product).find({"id": {"in": sorted(wanted)}})}
    missing = [
        Detail(f"items.{index}.productId", "reference_not_found", "There is no such product")
        for index, item in enumerate(change["items"])
        if item["product_id"] not in products
    ]
    if missing:
        raise ReferenceNotFound("The order names products that do not exist", details=missing)
    for item in change["items"]:
        item["unit_price_cents"] = products[item["product_id"]].price_cents


@implements(Order.place)
async def take_from_stock(ctx: Context, order: Order) -> None:
    """Takes every item out of stock, in the transaction that places the order; 422 where there is not enough."""
    if not order.items:
        raise OrderEmpty
    products = ctx.repository(Product)
    short: list[Detail] = []
    # In the order of ids: two orders for the same products then wait for each other instead of locking each other out.
    for index, item in sorted(enumerate(order.items), key=lambda pair: pair[1].product.id):
        enough = {"id": item.product.id, "stock": {"gte": item.quantity}}
        if not await products.update_many(enough, {"stock": {"decrement": item.quantity}}):
            short.append(
                Detail(f"items.{index}.quantity", "not_enough_stock", f"There are fewer than {item.quantity} in stock")
            )
    if short:
        raise NotEnoughStock(details=short)


@implements(Order.delete)
async def keep_what_was_placed(ctx: Context, order: Order) -> None:
    """Only a draft or a cancelled order can be deleted: the others hold stock, or are records."""
    if order.status not in ("draft", "cancelled"):
        raise Conflict(f"The order is {order.status}; cancel it instead")


@implements(Order.cancel)
async def give_back_stock(ctx: Context, order: Order) -> None:
    """Puts the items of an order that had been placed back into stock."""
    if ctx.previous_state in ("placed", "paid"):
        for item in sorted(order.items, key=lambda item: item.product.id):
            await ctx.repository(Product).update(item.product.id, {"stock": {"increment": item.quantity}})
