"""Older versions that are none, and days that are none."""

from datetime import date, datetime
from typing import Any, cast

from sternpost import Browse, Contract, Resource, Version, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow=public)


text: Any = "2026-01-31"

contract = Contract(
    "users",
    resources=[User],
    api_version="v9",
    older=[
        cast("Version", "v8"),
        Version("v7", ["gone"]),
        Version("v6", deprecated=text),
        Version("v5", sunset=datetime(2027, 1, 1)),
        Version("v4", deprecated=date(2027, 1, 1), gone_after_sunset=True),
        Version("v3", link="ftp://example.com/v4"),
        Version("v03"),
        Version("v2", sunset=date(2027, 1, 1), gone_after_sunset=True, link="https://example.com/v3"),
    ],
)
