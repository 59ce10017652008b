"""Every metric that a service has, with its name, its unit, its labels and what it says."""

from __future__ import annotations

from sternpost.telemetry.measured import Description

DURATION_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds. Most calls take some milliseconds; the last ones are exports, and calls that wait."""

LAG_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS = Description(
    "sternpost_requests",
    "counter",
    "Calls that have ended, by operation and outcome: ok, rejected (the caller's error), failed (the service's), left "
    "(the caller was gone).",
    labels=("operation", "outcome"),
)
ERRORS = Description(
    "sternpost_errors",
    "counter",
    "Calls that did not end well, by operation, outcome and error code; OTHER for the service's own codes, NONE where "
    "there is none.",
    labels=("operation", "outcome", "code"),
)
DURATION = Description(
    "sternpost_request_duration_seconds",
    "histogram",
    "How long calls took, from the head of the request to the end of the answer.",
    "seconds",
    ("operation",),
    DURATION_BOUNDS,
)
RECENT = Description(
    "sternpost_request_duration_recent_seconds",
    "window",
    "How long calls of the last one to two minutes took, by percentile (50, 95, 99), within 5 %.",
    "seconds",
    ("operation",),
)
IN_FLIGHT = Description("sternpost_requests_in_flight", "gauge", "Requests that are being worked on.")
CONNECTIONS = Description("sternpost_connections_open", "gauge", "Connections of clients that are open.")
POOL_SIZE = Description(
    "sternpost_database_pool_size",
    "gauge",
    "How much a pool has at most: connections of PostgreSQL by server; of SQLite one writer, and reader threads.",
    labels=("pool",),
)
POOL_IN_USE = Description(
    "sternpost_database_pool_in_use", "gauge", "How much of a pool is not at rest.", labels=("pool",)
)
POOL_WAITING = Description(
    "sternpost_database_pool_waiting", "gauge", "Who waits for something of a pool.", labels=("pool",)
)
POOL_WAITS = Description(
    "sternpost_database_pool_waits",
    "counter",
    "How often somebody had to wait for something of a pool, and has waited.",
    labels=("pool",),
)
POOL_WAIT_SECONDS = Description(
    "sternpost_database_pool_wait_seconds", "counter", "How long those have waited, added up.", "seconds", ("pool",)
)
LIMIT_DECISIONS = Description(
    "sternpost_limit_decisions",
    "counter",
    "What rate limits have decided, by limit: allowed, refused, shadow_refused (a shadow limit would have), uncounted "
    "(the call passed, because the store was away), unavailable (it did not pass for that).",
    labels=("limit", "decision"),
)
KEYS = Description(
    "sternpost_idempotency_keys",
    "counter",
    "Changes with an idempotency key, by what came of it: carried_out, replayed (answered as the first time), reused "
    "(refused: it came with another request), in_use (refused: the first was still being carried out); and waited, for "
    "those that had to wait for another one first.",
    labels=("event",),
)
OUTBOX_EVENTS = Description(
    "sternpost_outbox_events", "counter", "Events that were written to the outbox by committed changes."
)
OTLP_LOST = Description(
    "sternpost_otlp_lost",
    "counter",
    "Records that the service could not send by OTLP, by signal (traces, logs, metrics) and reason: left_out (newer "
    "ones needed the room), not_taken (the receiver has not taken them).",
    labels=("signal", "reason"),
)
LOOP_LAG = Description(
    "sternpost_event_loop_lag_seconds",
    "histogram",
    "By how much the event loop was late, looked at four times a second.",
    "seconds",
    bounds=LAG_BOUNDS,
)
CPU = Description(
    "sternpost_process_cpu_seconds", "counter", "Time of the processor that workers have used.", "seconds"
)
MEMORY = Description(
    "sternpost_process_resident_memory_bytes", "gauge", "Memory of the process that is resident.", "bytes"
)
DESCRIPTORS = Description("sternpost_process_open_fds", "gauge", "File descriptors that the process has open.")
DESCRIPTORS_MAX = Description("sternpost_process_max_fds", "gauge", "File descriptors that it may have open.")
START_TIME = Description(
    "sternpost_process_start_time_seconds",
    "gauge",
    "When the application was started in the process, in seconds since 1970.",
    "seconds",
)
GC_RUNS = Description(
    "sternpost_gc_collections",
    "counter",
    "Runs of Python's garbage collector, by generation.",
    labels=("generation",),
)
GC_SECONDS = Description(
    "sternpost_gc_pause_seconds", "counter", "How long those have taken, added up.", "seconds", ("generation",)
)
WORKER_UP = Description(
    "sternpost_worker_up",
    "gauge",
    "Whether the worker has answered within a second: 1 or 0. Of one that has not, the counters are its last ones.",
)
BUILD = Description(
    "sternpost_build_info",
    "gauge",
    "1, with the versions of Sternpost and of the contract.",
    labels=("version", "contract_version"),
)

EVERY = (
    WORKER_UP,
    BUILD,
    REQUESTS,
    ERRORS,
    DURATION,
    RECENT,
    IN_FLIGHT,
    CONNECTIONS,
    POOL_SIZE,
    POOL_IN_USE,
    POOL_WAITING,
    POOL_WAITS,
    POOL_WAIT_SECONDS,
    LIMIT_DECISIONS,
    KEYS,
    OUTBOX_EVENTS,
    OTLP_LOST,
    LOOP_LAG,
    CPU,
    MEMORY,
    DESCRIPTORS,
    DESCRIPTORS_MAX,
    START_TIME,
    GC_RUNS,
    GC_SECONDS,
)
"""All of them, in the order in which they are exposed."""

BY_NAME = {description.name: description for description in EVERY}

OWN_CODE = "OTHER"
"""The error code of calls that a service answers with a code of its own: how many of those there are, nobody knows."""

NO_CODE = "NONE"
