"""Comparisons with values that can never fit."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from sternpost import Browse, Contract, Delete, Read, Replace, Resource, Update, field, this


class Order(Resource, prefix="ord"):
    status: Literal["draft", "paid"] = field(default="draft", write="never")
    total: int = field(ge=0)
    note: str
    code: UUID

    browse = Browse(allow=this.status.eq("payed"))
    read = Read(allow=this.total.gt("100"))
    update = Update(allow=this.note.lt("b"))
    replace = Replace(allow=this.code.eq("00000000-0000-0000-0000-000000000000"))
    delete = Delete(allow=this.eq("draft"))


contract = Contract("shop", resources=[Order])
