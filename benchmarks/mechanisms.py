"""What each mechanism costs a request: the same contract with it and without, in turns.

The variants are contracts of the shop's users that differ in one declaration, and so serve the same requests. In every
round all of them run at once, each on a fresh copy of the data, and take turns at each workload several times; a cost
is the difference of two figures of the same round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.databases import TEMPLATE, Application, Database
from benchmarks.generated import READERS, USERS
from benchmarks.load import Job
from benchmarks.measure import Sample, counted, observed, take, target_of, together
from benchmarks.rows import Progress, Size
from benchmarks.stacks import CORS, HOME, METRICS, ONE_SPAN, OWN, STACKS, Server, Stack, serve_command, serving

CONNECTIONS = 32
WARMUP_SECONDS = 0.3
TURNS = 4
"""Into how many turns a measurement is divided."""

CONTRACT = """

from sternpost import token_bucket

contract = Contract("mechanism-{name}", version="1.0.0", resources=[User]{contract})
app = Sternpost(contract)
"""

LIMIT = ', limit=token_bucket(1_000_000, per="minute", by="principal")'
EMITS = ', emits="user.created"'


@dataclass(frozen=True)
class Variant:
    """A contract that differs from the plain one in what a mechanism is declared with.

    Attributes:
        create, contract: arguments that are added to `Create(…)` and `Contract(…)`.
        read: who may read a user.
        environment: variables of its process beside those of every variant.
        exports: whether it sends a span of each request.
        workloads: what it is measured on.
    """

    name: str
    title: str
    create: str = ""
    contract: str = ""
    read: str = READERS
    environment: Mapping[str, str] | None = None
    exports: bool = False
    workloads: tuple[str, ...] = ("W1", "W2", "W3")

    @property
    def source(self) -> str:
        """Its module."""
        users = USERS.format(title=f"The users of the shop, {self.title}", read=self.read, create=self.create)
        return users + CONTRACT.format(name=self.name, contract=self.contract)

    @property
    def application(self) -> Application:
        """Its module, written anew."""
        folder = HOME / "generated"
        folder.mkdir(parents=True, exist_ok=True)
        module = f"mechanism_{self.name}"
        Path(folder / f"{module}.py").write_text(self.source, encoding="utf-8")
        return Application(f"{module}:app", folder, template=f"{TEMPLATE}_{self.name}")

    @property
    def stack(self) -> Stack:
        """Serves it."""
        own = next(stack for stack in STACKS if stack.name == OWN)
        application = self.application

        def command(home: Path, port: int, workers: int) -> list[str]:
            return serve_command(application.name, port, workers)

        environment = {**own.environment, **(self.environment or {}), "PYTHONPATH": str(application.folder)}
        return replace(
            own, name=self.name, title=self.title, command=command, environment=environment, exports=self.exports
        )


VARIANTS = (
    Variant("plain", "with nothing of it", workloads=("W1", "W2", "W3", "W3k", "replay")),
    Variant("limit", "a limit per principal, counted in the process", contract=LIMIT),
    Variant(
        "redis",
        "a limit per principal, counted in Redis",
        contract=LIMIT,
        environment={"STERNPOST_REDIS_URL": "redis://127.0.0.1:6379/9"},
        workloads=("W1", "W3"),
    ),
    Variant("outbox", "an outbox row for each new user", create=EMITS),
    Variant("open", "users that everybody may read", read="public", workloads=("W1", "W1a")),
    Variant("quiet", "no log line", environment={"STERNPOST_LOG_LEVEL": "error"}),
    Variant("metrics", "metrics", environment=METRICS),
    Variant("spans", "a span of each request, sent by OTLP", environment=ONE_SPAN, exports=True),
    Variant("statements", "spans of each request and of its statements", exports=True, workloads=("W1",)),
    Variant("cors", "pages of another origin", environment=CORS),
)
"""Of the hardened profile, request ids, security headers, validation and policies are not among them: they cannot be
switched off."""


@dataclass(frozen=True)
class Cost:
    """What a row of the table compares.

    Attributes:
        without, with_it: a variant and a workload each.
    """

    title: str
    without: tuple[str, str]
    with_it: tuple[str, str]


COSTS = (
    Cost("a limit per principal in the process: W1", ("plain", "W1"), ("limit", "W1")),
    Cost("the same: W2", ("plain", "W2"), ("limit", "W2")),
    Cost("the same: W3", ("plain", "W3"), ("limit", "W3")),
    Cost("a limit per principal in Redis: W1", ("plain", "W1"), ("redis", "W1")),
    Cost("the same: W3", ("plain", "W3"), ("redis", "W3")),
    Cost("the outbox, where nothing is emitted: W1", ("plain", "W1"), ("outbox", "W1")),
    Cost("the same: W2", ("plain", "W2"), ("outbox", "W2")),
    Cost("an outbox row: W3", ("plain", "W3"), ("outbox", "W3")),
    Cost("a new idempotency key: W3", ("plain", "W3"), ("plain", "W3k")),
    Cost("a replay, beside W1", ("plain", "W1"), ("plain", "replay")),
    Cost("a JWT: W1", ("open", "W1a"), ("open", "W1")),
    Cost("a log line: W1", ("quiet", "W1"), ("plain", "W1")),
    Cost("the same: W2", ("quiet", "W2"), ("plain", "W2")),
    Cost("the same: W3", ("quiet", "W3"), ("plain", "W3")),
    Cost("metrics: W1", ("plain", "W1"), ("metrics", "W1")),
    Cost("the same: W2", ("plain", "W2"), ("metrics", "W2")),
    Cost("the same: W3", ("plain", "W3"), ("metrics", "W3")),
    Cost("a span, sent by OTLP: W1", ("plain", "W1"), ("spans", "W1")),
    Cost("the same: W2", ("plain", "W2"), ("spans", "W2")),
    Cost("the same: W3", ("plain", "W3"), ("spans", "W3")),
    Cost("another span for its statement: W1", ("spans", "W1"), ("statements", "W1")),
    Cost("CORS, for a page of its origin: W1", ("plain", "W1"), ("cors", "W1")),
    Cost("the same: W2", ("plain", "W2"), ("cors", "W2")),
    Cost("the same: W3", ("plain", "W3"), ("cors", "W3")),
)

ORDER = ("W1", "W1a", "replay", "W2", "W3", "W3k")
"""What writes much comes behind what is compared with a read: it leaves the database something to do, and to look through."""


def load(variants: Sequence[Variant], size: Size, database: Database, progress: Progress) -> None:
    """The same rows for each, in the tables of its contract."""
    for variant in variants:
        database.load(size, progress, variant.application)


def run_rounds(
    variants: Sequence[Variant],
    database: Database,
    tokens: Sequence[str],
    rounds: int,
    seconds: float,
    size: Size,
    on_sample: Callable[[Sample], None],
) -> None:
    """All rounds on one kind of database."""
    for number in range(rounds):
        urls = {variant.name: database.fresh(variant.name, variant.application) for variant in variants}
        with ExitStack() as running:
            servers = [running.enter_context(serving(variant.stack, urls[variant.name])) for variant in variants]
            for workload in ORDER:
                database.settle()
                chosen = [server for server in servers if workload in measured(server.stack.name)]
                taken: dict[str, list[Sample]] = {server.stack.name: [] for server in chosen}
                for turn in range(TURNS):
                    for server in chosen if (turn + number) % 2 == 0 else reversed(chosen):
                        job = _job(server, database, tokens, workload, seconds, size)
                        taken[server.stack.name].append(take(job, server, database, number))
                for samples in taken.values():
                    on_sample(together(samples))


def measured(variant: str) -> tuple[str, ...]:
    """The workloads of a variant."""
    return next(known.workloads for known in VARIANTS if known.name == variant)


def _job(server: Server, database: Database, tokens: Sequence[str], workload: str, seconds: float, size: Size) -> Job:
    target = target_of(server, tokens, size)
    warmup = WARMUP_SECONDS if workload != "replay" else 4 * WARMUP_SECONDS  # each key has to have been there once
    return Job(
        target,
        workload,
        CONNECTIONS,
        seconds / TURNS,
        warmup,
        observe=observed(server, database),
        spans=counted(server),
    )


def cost_rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """A row for each cost: medians over the rounds, and the median of the differences within each round."""
    rows: list[dict[str, Any]] = []
    for database in dict.fromkeys(sample.database for sample in samples):
        own = {
            (sample.round, sample.stack, sample.workload): sample.result
            for sample in samples
            if sample.database == database
        }
        numbers = sorted({number for number, _, _ in own})
        for cost in COSTS:
            pairs = [(own.get((n, *cost.without)), own.get((n, *cost.with_it))) for n in numbers]
            found = [(before, after) for before, after in pairs if before is not None and after is not None]
            if not found:
                continue
            server = [(before.cpu_us("server") or 0.0, after.cpu_us("server") or 0.0) for before, after in found]
            data = [(before.cpu_us("database"), after.cpu_us("database")) for before, after in found]
            both = [(b + (d or 0.0), a + (e or 0.0)) for (b, a), (d, e) in zip(server, data, strict=True)]
            rows.append(
                {
                    "database": database,
                    "mechanism": cost.title,
                    "without, µs": round(median(before for before, _ in server), 1),
                    "with, µs": round(median(after for _, after in server), 1),
                    "cost, µs": round(median(after - before for before, after in server), 1),
                    "ratio": round(median(after / before for before, after in server), 2),
                    "with the database, µs": round(median(after - before for before, after in both), 1),
                }
            )
    return rows
