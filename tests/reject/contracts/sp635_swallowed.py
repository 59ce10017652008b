"""Services that nobody hears of an error from."""

from __future__ import annotations

import asyncio
import contextlib

from sternpost import Change, Context, Contract, Create, Read, Resource, implements, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


@implements(Order.create)
async def create(ctx: Context, change: Change[Order]) -> Order:
    try:
        await tell(change)
    except KeyError:
        pass
    except Exception:
        change["note"] = "untold"
    with contextlib.suppress(OSError, Exception):
        await tell(change)
    with contextlib.suppress(OSError):
        await tell(change)
    await asyncio.gather(tell(change), return_exceptions=True)
    return await change.apply()


async def tell(change):
    try:
        return await change
    except ValueError:
        return None
    except Exception as error:
        raise RuntimeError from error
    finally:
        return 1


async def looked_at(ctx):
    for number in range(3):
        try:
            await tell(number)
        except:
            continue
        try:
            await tell(number)
        except Exception:
            ctx.log.error("It failed", exc_info=True)
        # sternpost: allow[swallowed] the second mail is a courtesy, and its loss is measured by the mail server
        except TypeError:
            pass


services = [create]
