"""Which API style fits a service: REST, GraphQL or gRPC."""

from __future__ import annotations

from collections.abc import Mapping

from sternpost.advice.model import Advice, Choice, Factor, Fit, Says, Stub, Table
from sternpost.advice.weighing import weigh

_REST_STUB = Stub(
    imports="from sternpost import Browse, Contract, Create, Read, Resource, Sternpost, authenticated",
    code="""\
class Item(Resource, prefix="itm"):
    name: str

    browse = Browse(allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=authenticated)


app = Sternpost(Contract("my-service", resources=[Item]))
""",
)

API_STYLE = Table(
    topic="api",
    choices=(
        Choice("rest", "REST", stub=_REST_STUB),
        Choice(
            "graphql", "GraphQL", planned="GraphQL", today="GraphQL is not served yet. What is served today is REST."
        ),
        Choice("grpc", "gRPC", planned="gRPC", today="gRPC is not served yet. What is served today is REST."),
    ),
    factors=(
        Factor(
            "different-data-needs",
            "Many consumers with different data needs",
            "Do many consumers need different data?",
            (
                Says("rest", Fit.POOR, "poor", "An address gives everyone the same shape: too much or too little."),
                Says("graphql", Fit.STRONG, "strong", "Each consumer asks for the fields and relations that it needs."),
                Says("grpc", Fit.POOR, "poor", "Messages have a fixed shape, so each need is a method of its own."),
            ),
        ),
        Factor(
            "simple-crud",
            "Simple create/read/update/delete",
            "Is it mostly simple create, read, update and delete?",
            (
                Says("rest", Fit.STRONG, "strong", "Methods and addresses of HTTP are exactly that."),
                Says("graphql", Fit.WEAK, "overkill", "A query language is more than such a service needs."),
                Says("grpc", Fit.WEAK, "overkill", "Generated clients are more than such a service needs."),
            ),
        ),
        Factor(
            "subscriptions",
            "Real-time subscriptions",
            "Do clients subscribe to what happens, in real time?",
            (
                Says("rest", Fit.WEAK, "needs a WebSocket add-on", "HTTP answers only what is asked."),
                Says("graphql", Fit.STRONG, "built in", "Subscriptions are a part of the language."),
                Says("grpc", Fit.STRONG, "built in (streaming)", "A method may answer with a stream."),
            ),
        ),
        Factor(
            "service-to-service",
            "Service to service",
            "Do other services call it?",
            (
                Says(
                    "rest", Fit.GOOD, "good", "Every service has an HTTP client; JSON costs more than binary messages."
                ),
                Says("graphql", Fit.WEAK, "overkill", "A service knows beforehand which data it asks for."),
                Says(
                    "grpc",
                    Fit.STRONG,
                    "strong",
                    "Binary messages, generated clients, and time limits that are passed on.",
                ),
            ),
        ),
        Factor(
            "public-api",
            "Public API",
            "Do strangers call it, as a public API?",
            (
                Says(
                    "rest", Fit.STRONG, "strong", "Everyone has a client for it, and caches and proxies understand it."
                ),
                Says(
                    "graphql",
                    Fit.GOOD,
                    "good",
                    "The schema documents it; queries of strangers need limits of their own.",
                ),
                Says("grpc", Fit.POOR, "poor (tooling)", "Browsers need a proxy, and callers need generated clients."),
            ),
        ),
        Factor(
            "low-bandwidth",
            "Mobile, little bandwidth",
            "Is it for mobile devices, or for little bandwidth?",
            (
                Says(
                    "rest",
                    Fit.WEAK,
                    "risk of overfetching",
                    "An answer may hold fields that a small screen never shows.",
                ),
                Says("graphql", Fit.STRONG, "strong", "Only what was asked for is sent, in one round trip."),
                Says("grpc", Fit.STRONG, "strong", "Binary messages are small, and share one connection."),
            ),
        ),
    ),
    of_ties="What was described does not decide between them.",
)


def api_style_advice(factors: Mapping[str, bool]) -> Advice:
    """Which API style fits a service with these factors of `API_STYLE`. Raises `ValueError` for an unknown one."""
    return weigh(API_STYLE, factors)
