"""Options of a media type that do not fit."""

from __future__ import annotations

from sternpost import Contract, Custom, Media, Resource, public

class Report(Resource, prefix="rep"):
    name: str

    a = Custom(method="GET", output=Media("text/csv", max_bytes=0), allow=public)
    b = Custom(method="GET", output=Media("text/csv", max_bytes="many"), allow=public)
    c = Custom(method="GET", output=Media("text/html", content_security_policy="a\nb"), allow=public)
    d = Custom(method="GET", output=Media("application/pdf", content_security_policy="default-src 'self'"), allow=public)


contract = Contract("shop", resources=[Report])
