"""Unique groups of every wrong form."""

from __future__ import annotations

from datetime import date

from sternpost import Contract, Resource


class Seat(Resource, prefix="sea", unique=[("row", "number"), ("row", "colour"), ("row", "row"), (), 5]):
    row: int
    number: int


class Ticket(Resource, prefix="tic", unique=("seat", "day")):
    seat: int
    day: date


class Hall(Resource, prefix="hal", unique=5):
    name: str


contract = Contract("shop", resources=[Seat, Ticket, Hall])
