"""A service whose author uses OpenTelemetry's API: in a function, a hook, a computed field and a provider."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import baggage, propagate, trace

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    HookCall,
    Many,
    One,
    Payload,
    Read,
    Resource,
    Sternpost,
    after_validation,
    computed,
    computes,
    field,
    implements,
    in_python,
    provide,
    public,
)

tracer = trace.get_tracer("author")
SECRET = "4111111111111111"


class Seen(Payload):
    trace_id: str
    span_id: str
    traceparent: str
    user: str


class Shelf(Resource, prefix="shl"):
    name: str = field(max_length=40)
    books: Many[Book]
    read = Read(allow=public)
    create = Create(allow=public)


class Book(Resource, prefix="bok"):
    title: str = field(max_length=80, filter=True)
    card: str = field(max_length=40, default="", sensitive=True)
    shelf: One[Shelf] | None
    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    look = Custom(on="collection", output=Seen, allow=public)
    fail = Custom(on="collection", output=Seen, allow=public)


class Word(Resource, prefix="wrd"):
    text: str = field(max_length=40)
    size: int = computed(in_python("text"))
    browse = Browse(allow=public)
    create = Create(allow=public)


class Hooked(Resource, prefix="hkd"):
    name: str = field(max_length=40)
    browse = Browse(allow=public)


class Library:
    pass


async def make_library() -> Library:
    return Library()


@implements(Book.look)
async def look(ctx: Context, *, library: Library) -> Seen:
    span = trace.get_current_span()
    context = span.get_span_context()
    span.set_attribute("author.kind", "look")
    span.set_attribute("card", SECRET)
    span.set_attribute("mail", "ada@example.org")
    span.add_event("looked", {"card": SECRET})
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    with tracer.start_as_current_span("inner") as inner:
        inner.set_attribute("card", SECRET)
        await ctx.data.sql("SELECT count(*) AS n FROM books WHERE title = :title AND card = '4111'", title=SECRET)
    return Seen(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        traceparent=carrier.get("traceparent", ""),
        user=str(baggage.get_baggage("user")),
    )


@implements(Book.fail)
async def fail(ctx: Context) -> Seen:
    with tracer.start_as_current_span("failing"):
        raise ValueError(f"the card is {SECRET}")


@computes(Word, "size")
async def measure(ctx: Context, words: Sequence[Word]) -> list[int]:
    trace.get_current_span().set_attribute("computed.rows", len(words))
    return [len(word.text) for word in words]


async def mark(call: HookCall) -> None:
    trace.get_current_span().set_attribute("hook.operation", call.operation)


contract = Contract("library", resources=[Shelf, Book, Word, Hooked])
app = Sternpost(
    contract,
    services=[look, fail, measure],
    hooks=[after_validation(mark, Hooked.browse)],
    provide=[provide(Library, make_library)],
)
