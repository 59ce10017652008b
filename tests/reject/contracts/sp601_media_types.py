"""Media types that no answer can have."""

from __future__ import annotations

from sternpost import Contract, Custom, Media, Resource, public

class Report(Resource, prefix="rep"):
    name: str

    a = Custom(method="GET", output=Media("text/csv; charset=latin1"), allow=public)
    b = Custom(method="GET", output=Media("Text/CSV"), allow=public)
    c = Custom(method="GET", output=Media("pdf"), allow=public)
    d = Custom(method="GET", output=Media("application/vnd.shop+json"), allow=public)
    e = Custom(method="GET", output=Media("multipart/mixed"), allow=public)
    f = Custom(method="GET", output=Media("text/event-stream"), allow=public)
    g = Custom(method="GET", output=Media(42), allow=public)


contract = Contract("shop", resources=[Report])
