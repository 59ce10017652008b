"""Redirects and media types that stand where they cannot."""

from __future__ import annotations

from sternpost import Contract, Custom, Media, Redirect, Resource, public

class Report(Resource, prefix="rep"):
    name: str

    a = Custom(output=Redirect("/reports"), allow=public)
    b = Custom(output=Media, allow=public)
    c = Custom(input=Media("text/csv"), output=None, allow=public)
    d = Custom(input=Redirect, output=Redirect, allow=public)


contract = Contract("shop", resources=[Report])
