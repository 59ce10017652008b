"""Tenant fields that do not exist, cannot hold a tenant, or stand where the owner's counts."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Resource, field


class Company(Resource, prefix="com"):
    name: str


class Missing(Resource, prefix="mis", tenant="company"):
    company: One[Company]


class Numbered(Resource, prefix="num", tenant="number"):
    number: int


class Perhaps(Resource, prefix="prh", tenant="company_id"):
    company: One[Company] | None


class Usual(Resource, prefix="usu", tenant="name"):
    name: str = field(default="everyone")


class Line(Resource, prefix="lin", tenant="company_id"):
    company: One[Company]
    bill: One[Bill]


class Bill(Resource, prefix="bil", tenant="company_id"):
    company: One[Company]
    lines: Owned[Line]


contract = Contract("shop", resources=[Company, Missing, Numbered, Perhaps, Usual, Line, Bill])
