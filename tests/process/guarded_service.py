"""A service whose calls ask stores: a limit that is counted in Redis, and an idempotency key. Its author has set a
provider of OpenTelemetry's himself."""

from __future__ import annotations

import os

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from sternpost import (
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Resource,
    Sternpost,
    field,
    fixed_window,
    implements,
    public,
)

if "OWN_PROVIDER" in os.environ:
    provider = TracerProvider()
    provider.add_span_processor(
        SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: f"own {span.name} {span.parent.span_id:016x}\n"))
    )
    trace.set_tracer_provider(provider)


class Done(Payload):
    ok: bool


class Bill(Resource, prefix="bil"):
    text: str = field(max_length=40)
    create = Create(allow=public, limit=fixed_window(1000, per="minute", by="address"))
    work = Custom(on="collection", output=Done, allow=public)


@implements(Bill.work)
async def work(ctx: Context) -> Done:
    with trace.get_tracer("author").start_as_current_span("by the author"):
        return Done(ok=True)


app = Sternpost(Contract("bills", resources=[Bill]), services=[work])
