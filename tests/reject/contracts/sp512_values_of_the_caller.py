"""Comparisons of fields with what is known of the caller that mean nothing."""

from __future__ import annotations

from datetime import date

from sternpost import Browse, Contract, Delete, Read, Resource, Update, caller, claim, this


class Note(Resource, prefix="not"):
    text: str
    day: date
    price: float
    open: bool

    browse = Browse(allow=this.day.eq(claim("day")))
    read = Read(allow=this.text.gt(claim("text")))
    update = Update(allow=this.price.in_(claim("prices")) | this.open.eq(caller.tenant))
    delete = Delete(allow=this.text.in_(caller.api_key) | this.text.gte(caller.tenant))


contract = Contract("shop", resources=[Note])
