"""Everything observable that is no call: one class for each kind of event, with its level, its text and its members.

Texts are fixed, so that a search for one finds every line of its kind. What varies is a member; log lines name members
in camelCase. `docs/reference/events.md` is generated from this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, Literal

Level = Literal["debug", "info", "warning", "error"]

Denial = Literal["credentials", "tenant", "forbidden", "hidden"]
"""Why a call was denied: its token or key is not valid, it is made for no tenant, its caller may not do this, or may
not even know of the row."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What every kind has.

    Attributes:
        level: of its log line. What belongs to draining and to the end of the service is at most a warning.
        message: the text of its log line.
        always: whether its line is written at every level in force: one that says who did what must not be lost
            because somebody wanted fewer lines.
        sampled: whether lines are counted instead of written where many come within a second.
    """

    level: ClassVar[Level] = "info"
    message: ClassVar[str] = ""
    always: ClassVar[bool] = False
    sampled: ClassVar[bool] = True

    def members(self) -> Iterator[tuple[str, Any]]:
        """What varies, by the names that log lines have for it."""
        return ((key, getattr(self, name)) for name, key in _names(type(self)))

    @property
    def kind(self) -> object:
        """Events of one kind are sampled together."""
        return type(self)

    def in_common(self) -> Mapping[str, Any]:
        """Members that all events of one kind have in common."""
        return {}


@cache
def _names(kind: type[Event]) -> tuple[tuple[str, str], ...]:
    return tuple((field.name, in_camel_case(field.name)) for field in fields(kind))


def in_camel_case(name: str) -> str:
    """`api_version` as log lines write it: `apiVersion`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def kinds() -> list[type[Event]]:
    """Every kind of event, in the order of this module."""
    found: list[type[Event]] = []
    waiting = list(Event.__subclasses__())
    while waiting:
        kind = waiting.pop(0)
        found.append(kind)
        waiting[:0] = kind.__subclasses__()
    return [kind for kind in found if kind.message]


# -- the start


@dataclass(frozen=True, kw_only=True)
class Ready(Event):
    """A process accepts requests."""

    message = "Ready"
    host: str
    port: int
    worker: int | None
    pid: int


@dataclass(frozen=True, kw_only=True)
class IdsWillChange(Event):
    """Encrypted ids have a key that does not outlive the process."""

    level = "warning"
    message = "Ids will change at every start, because no secret key is set"
    reason: str


@dataclass(frozen=True, kw_only=True)
class VariablesUnknown(Event):
    """Variables begin as settings do and are none: most likely they are mistyped. Each with the name that it is
    nearest to, or null."""

    level = "warning"
    message = "Variables of the environment are no settings, and have no effect"
    variables: Mapping[str, Any]
    fix: str = "Correct their names, or unset them"


@dataclass(frozen=True, kw_only=True)
class SecretIsWeak(Event):
    """A secret could be guessed, in development; in production the service does not start."""

    level = "warning"
    message = "A secret is weak, and would be refused in production"
    variable: str
    reason: str
    fix: str = "Set it to at least 32 random bytes, for example the output of: openssl rand -hex 32"


@dataclass(frozen=True, kw_only=True)
class NoWebsockets(Event):
    """There are mounted applications, and the library for WebSockets is not installed."""

    message = "Mounted applications get no WebSockets, because the extra websockets is not installed"
    mounts: Sequence[str]
    fix: str = "Where one of them needs them: pip install 'sternpost[websockets]'"


@dataclass(frozen=True, kw_only=True)
class SunsetPassed(Event):
    """A version of the API is served longer than its contract announces."""

    level = "warning"
    message = "An API version is still served after its sunset date"
    api_version: str
    sunset: str


@dataclass(frozen=True, kw_only=True)
class LimitsLeftToServer(Event):
    """Another server than Sternpost's own accepts the connections."""

    level = "warning"
    message = "The limits of connections are left to the server, which is not Sternpost's own"
    limits: Sequence[str]
    fix: str = "Serve with `sternpost serve`, or set limits like these in the server, or in a proxy before it"


@dataclass(frozen=True, kw_only=True)
class FewerConnections(Event):
    """The system lets a process open fewer files than its connections would need."""

    level = "warning"
    message = "The system allows fewer open files than the connections would need, so fewer are accepted"
    connections: int
    open_files: int
    fix: str = "Raise the hard limit of open files (ulimit -Hn, LimitNOFILE=), or lower STERNPOST_CONNECTIONS_MAX"


@dataclass(frozen=True, kw_only=True)
class UnreadRequestAnswered(Event):
    """What a client sent is no request, too much, or too late; it has no observation, as no call came of it."""

    level = "warning"
    message = "What is no whole request was answered, and its connection closed"
    status: int
    error_code: str
    address: str | None
    request_id: str


@dataclass(frozen=True, kw_only=True)
class StartedByRequest(Event):
    """An outer application passes no lifespan events on."""

    level = "warning"
    message = "Started by the first request, because no lifespan event came"
    fix: str


@dataclass(frozen=True, kw_only=True)
class MountWithoutLifespan(Event):
    """A mounted application is served without having been started."""

    message = "A mounted application takes no lifespan events"
    mount: str
    reason: str


# -- while the service runs


@dataclass(frozen=True, kw_only=True)
class DependencyUnhealthy(Event):
    """A dependency of the service fails its check, or fails it for another reason than before."""

    level = "warning"
    message = "A dependency is unhealthy"
    check: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class DependencyHealthy(Event):
    """A dependency that was unhealthy passes its check."""

    message = "A dependency is healthy again"
    check: str


@dataclass(frozen=True, kw_only=True)
class JobFailed(Event):
    """Something that the service does now and then ended with an error that nobody foresaw."""

    level = "error"
    message = "A job failed"
    job: str
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class JobRefused(Event):
    """Something that the service does now and then could not be done, such as because the database is away. It is tried
    again when it is due."""

    level = "warning"
    message = "A job failed"
    job: str
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class ApiKeyUseUnrecorded(Event):
    """The time of the last use of an API key is older in the database than it should be."""

    level = "warning"
    message = "The last use of an API key could not be recorded"
    reason: str


@dataclass(frozen=True, kw_only=True)
class CallsUncounted(Event):
    """The store of rate limits is away, and limits let calls pass meanwhile. One line a second at most."""

    level = "warning"
    message = "Calls pass without being counted, because the store of limits is away"
    limit: str
    calls: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ShadowLimitWouldRefuse(Event):
    """A limit that is tried out would have refused a call. Each has its line, because they are counted."""

    message = "A shadow limit would refuse the call"
    sampled = False
    limit: str
    shadow: bool = True
    would_refuse: bool = True


@dataclass(frozen=True, kw_only=True)
class FunctionAfterCommitFailed(Event):
    """What was to follow a change did not happen; the change is committed."""

    level = "error"
    message = "A function after the commit failed"
    function: str
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class ProvidedNotTornDown(Event):
    """What was provided for a call failed at its end."""

    level = "error"
    message = "What was provided could not be torn down"
    provided: str
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class OtlpFails(Event):
    """A receiver of OTLP does not take what it is sent; told once until it does again."""

    level = "warning"
    message = "What is observed could not be sent by OTLP"
    signal: str
    endpoint: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class OtlpSucceeds(Event):
    """The receiver takes what it is sent again."""

    message = "What is observed is sent by OTLP again"
    signal: str
    lost: int


@dataclass(frozen=True, kw_only=True)
class OtlpOverruns(Event):
    """A queue is full; told once until it is not."""

    level = "warning"
    message = "More is observed than can be sent by OTLP, and the oldest is left out"
    signal: str
    dropped: int


@dataclass(frozen=True, kw_only=True)
class OtlpLost(Event):
    """At the end: how much the receiver did not take, and how much had made room for what came later or was left; in
    all, and of each signal. `endpoint` and `reason` are those of the last failure."""

    level = "warning"
    message = "Some of what was observed was never sent by OTLP"
    lost: int
    dropped: int
    signals: Mapping[str, Any]
    endpoint: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class OtlpThreadFailed(Event):
    """A bug: nothing more of this signal is sent."""

    level = "error"
    message = "A thread that sends what is observed has failed"
    signal: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class LibraryWarned(Event):
    """What a library, or the author's code, logs through Python's `logging` as a warning."""

    level = "warning"
    message = "A library reports a warning"
    logger: str
    text: str

    @property
    def kind(self) -> object:
        """Each logger is a kind of its own: one that repeats itself must not hide the others."""
        return type(self), self.logger

    def in_common(self) -> Mapping[str, Any]:
        return {"logger": self.logger}


@dataclass(frozen=True, kw_only=True)
class LibraryFailed(LibraryWarned):
    """The same as an error."""

    level = "error"
    message = "A library reports an error"


# -- who did what


@dataclass(frozen=True, kw_only=True)
class AccessDenied(Event):
    """A call was refused because of who made it. `reason` is `credentials`: its token or key is not valid; `tenant`:
    it is made for no valid tenant; `forbidden`; or `hidden`: it was told 404 of a row that exists."""

    level = "warning"
    message = "Access was denied"
    always = True
    event: str = "audit"
    operation: str
    row: str | None
    outcome: str = "denied"
    reason: Denial
    tenant: str | None
    address: str | None

    @property
    def kind(self) -> object:
        """Who is denied one thing often must not hide what else is denied."""
        return type(self), self.operation, self.reason

    def in_common(self) -> Mapping[str, Any]:
        return {"event": self.event, "operation": self.operation, "outcome": self.outcome, "reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class AuditedCall(Event):
    """An operation with `audited=True` was called. `outcome` is `done`, `replayed` for the answer of an earlier call
    with the same idempotency key, or the code of the error. `privileged` says whether scopes or claims of the caller
    opened what others may not do. Each call has its line."""

    message = "An audited operation was called"
    always = True
    sampled = False
    event: str = "audit"
    operation: str
    row: str | None
    outcome: str
    privileged: bool
    tenant: str | None
    address: str | None


# -- the end


@dataclass(frozen=True, kw_only=True)
class ShuttingDown(Event):
    """A process takes no new connections any more."""

    message = "Shutting down"
    in_flight: int
    worker: int | None
    pid: int


@dataclass(frozen=True, kw_only=True)
class Retiring(Event):
    """A process whose place another one has taken finishes its requests."""

    message = "Retiring"
    in_flight: int
    worker: int | None
    pid: int


@dataclass(frozen=True, kw_only=True)
class RequestsEnded(Event):
    """The time of the shutdown is over: what is in flight is undone, and answered with 503."""

    level = "warning"
    message = "Requests in progress are ended"
    in_flight: int


@dataclass(frozen=True, kw_only=True)
class RequestsAborted(Event):
    """Requests that did not end when they were told to lose their connection."""

    level = "warning"
    message = "Requests in progress were aborted"
    in_flight: int


@dataclass(frozen=True, kw_only=True)
class MountNotStopped(Event):
    """A mounted application did not confirm its stop."""

    level = "warning"
    message = "A mounted application did not stop as it should"
    mount: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class StopFunctionFailed(Event):
    """A function in `on_stop` failed, or took too long."""

    level = "warning"
    message = "A function at the stop failed"
    name: str
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class ProvidedNotTornDownAtStop(Event):
    """What was provided for the time of the application failed at its end."""

    level = "warning"
    message = "What was provided could not be torn down"
    name: str
    error: BaseException


@dataclass(frozen=True, kw_only=True)
class ApplicationGivenUp(Event):
    """After a second signal the application did not stop in time."""

    level = "warning"
    message = "The application was given up while it stopped"


@dataclass(frozen=True, kw_only=True)
class Stopped(Event):
    """All that the application had opened is closed."""

    message = "Stopped"

    worker: int | None
    pid: int


@dataclass(frozen=True, kw_only=True)
class CutOff(Event):
    """The process ends although threads or tasks still run: where each of them stands."""

    level = "warning"
    message = "What was still running was cut off"
    running: Sequence[str]


# -- workers

WORKER_FIX = "Mend what the reason says; what the worker itself had to say is on its standard error"


@dataclass(frozen=True, kw_only=True)
class WorkerStarted(Event):
    """A worker accepts requests."""

    message = "Worker started"
    sampled = False
    worker: int
    pid: int


@dataclass(frozen=True, kw_only=True)
class WorkersReady(Event):
    """The service as a whole accepts requests."""

    message = "Workers are ready"
    workers: int
    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class WorkerDied(Event):
    """A worker ended that was not told to; another one takes its place."""

    level = "error"
    message = "Worker died"
    sampled = False
    worker: int
    pid: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class WorkerDidNotStart(Event):
    """A worker that takes the place of one that died did not start either."""

    level = "error"
    message = "Worker did not start"
    sampled = False
    worker: int
    reason: str
    fix: str = WORKER_FIX


@dataclass(frozen=True, kw_only=True)
class SilentWorkerKilled(Event):
    """A worker gave no sign of life."""

    level = "error"
    message = "Worker was killed"
    sampled = False
    worker: int
    pid: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class EndingWorkerKilled(Event):
    """A worker that was told to end did not do so in time."""

    level = "warning"
    message = "Worker was killed"
    sampled = False
    worker: int
    pid: int
    reason: str = "it did not end in time"


@dataclass(frozen=True, kw_only=True)
class RollingRestartStarted(Event):
    """SIGHUP came: every worker is replaced."""

    message = "Rolling restart started"
    workers: int


@dataclass(frozen=True, kw_only=True)
class RollingRestartFinished(Event):
    """Every worker is a new one."""

    message = "Rolling restart finished"
    workers: int


@dataclass(frozen=True, kw_only=True)
class RollingRestartGivenUp(Event):
    """A new worker did not start; those that are left serve on."""

    level = "error"
    message = "Rolling restart given up"
    worker: int
    reason: str
    fix: str = f"{WORKER_FIX}; then send SIGHUP again. Until then the workers that are left serve on"


@dataclass(frozen=True, kw_only=True)
class SupervisorStopping(Event):
    """Every worker is told to end."""

    message = "Supervisor is stopping"
    workers: int


@dataclass(frozen=True, kw_only=True)
class SupervisorStopped(Event):
    """Every worker has ended."""

    message = "Supervisor stopped"


@dataclass(frozen=True, kw_only=True)
class SupervisorFailed(Event):
    """A mistake of the supervisor itself; it stops."""

    level = "error"
    message = "Supervisor failed"
    error: BaseException


# -- the ops port


@dataclass(frozen=True, kw_only=True)
class OpsPortOpened(Event):
    """Those who run the service can ask it."""

    message = "The ops port is open"
    host: str
    port: int


@dataclass(frozen=True, kw_only=True)
class OpsTokenMissing(Event):
    """Somebody asks the ops port without its token. One line a second at most."""

    level = "warning"
    message = "Requests to the ops port came without its token"
    requests: int


@dataclass(frozen=True, kw_only=True)
class LimitOverrideSet(Event):
    """By the ops port, somebody may do more or less than a limit says."""

    level = "warning"
    message = "The override of a limit was set"
    always = True
    sampled = False

    event: str = "limit override"
    change: str = "set"
    limit: str
    key: Mapping[str, Any]
    quantity: int | None
    factor: float | None
    expires: str
    reason: str
    address: str | None


@dataclass(frozen=True, kw_only=True)
class LimitOverrideDeleted(LimitOverrideSet):
    """By the ops port, a limit holds again as it is declared."""

    message = "The override of a limit was deleted"
    change: str = "deleted"


@dataclass(frozen=True, kw_only=True)
class LogLevelChanged(Event):
    """By the ops port, another level of the log holds for a time, or that of the settings again (`expires` is null)."""

    level = "warning"
    message = "The level of the log was changed"
    always = True
    sampled = False
    event: str = "log level"
    to: str
    expires: str | None
    reason: str | None
    address: str | None


@dataclass(frozen=True, kw_only=True)
class LogLevelExpired(Event):
    """The time of a level that was set by the ops port is over, and that of the settings holds again."""

    level = "warning"
    message = "The level of the log that was set has expired"
    always = True
    sampled = False
    event: str = "log level"
    to: str
