"""Log lines: JSON, one a line, with fixed first keys.

`{"timestamp", "level", "message", "service", "traceId", "spanId", "userId", "duration"}` come in every line, in this
order; more keys may follow. One line for each request, one more for each error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson

from sternpost.clock import Clock
from sternpost.errors import Detail, SternpostError
from sternpost.telemetry.events import Event, Level
from sternpost.telemetry.failures import chain_of, stack_of, told_as
from sternpost.telemetry.level import LEVELS, LevelOverride
from sternpost.telemetry.observation import Observation, Outcome
from sternpost.telemetry.output import Output
from sternpost.telemetry.sampling import Repeated, Sampling
from sternpost.visible import visible_json

LEVEL_OF: Mapping[Outcome, Level] = {"ok": "info", "rejected": "warning", "left": "warning", "failed": "error"}
MASK = "***"
TEXT_MAX = 8192
"""Characters of one value in a log line."""

_WORD = r"[^\s/@,;:'\"<>()]"
_EMAIL_LIKE = re.compile(rf"(?<!{_WORD}){_WORD}++@{_WORD}+")
"""A match begins where a word does, and a word is read once: however long a text is, each character counts once."""

Write = Callable[[bytes], Any]


class Log:
    """Writes log lines.

    Args:
        sensitive: names (of fields, in any spelling the contract uses) whose values are masked wherever they occur.
        level: the lowest that is written.
        write: takes a line with its newline; by default standard output, unbuffered.
        override: the level that holds instead of `level` for a time.
        repeats_a_second: how many lines of one kind are written in a second, of errors and of events; 0 for all.
    """

    begins = None
    """Nothing is written where a call begins."""

    def __init__(
        self,
        service: str,
        clock: Clock,
        *,
        level: Level = "info",
        sensitive: frozenset[str] = frozenset(),
        write: Write | None = None,
        override: LevelOverride | None = None,
        repeats_a_second: int = 0,
    ) -> None:
        self.service = service
        self.clock = clock
        self.setting: Level = level
        self._least = LEVELS[level]
        self.override = override or LevelOverride()
        self.sensitive = sensitive
        self._output: Output | None = None
        if write is None:
            self._output = Output(sys.stdout.buffer)
            write = self._output.write
        self.write = write
        self._sampling = Sampling(repeats_a_second, clock, self._tell_repeated)
        self._second = datetime.min.replace(tzinfo=UTC)
        self._second_text = ""

    def finished(self, observation: Observation) -> None:
        """The line of a call that has ended."""
        outcome = observation.outcome
        level = LEVEL_OF[outcome]
        if LEVELS[level] < (self._least if self.override.until is None else self._overridden()):
            return
        members = observation.members()
        if "path" in members:
            members["path"] = _redacted(members["path"])
        line: dict[str, Any] = {  # written out, because it is written for each call
            "timestamp": self._instant(),
            "level": level,
            "message": _call_message(observation, outcome),
            "service": self.service,
            "traceId": observation.trace_id,
            "spanId": observation.span_id,
            "userId": observation.user_id,
            "duration": round((observation.ended - observation.started) * 1000, 3),
            "requestId": observation.request_id,
            **members,
            "operation": observation.operation,
            "statements": observation.statements,
        }
        if observation.api_version:
            line["apiVersion"] = observation.api_version
        if observation.error_code:
            line["errorCode"] = observation.error_code
        if observation.rate_limited:
            line["rateLimited"] = observation.rate_limited
        if observation.replayed:
            line["replayed"] = True
        self.write(visible_json(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)))

    def failed(self, observation: Observation, error: BaseException) -> None:
        """The line of an error: what the client was told, and the details that only the log has."""
        more: dict[str, Any] = {}
        if isinstance(error, SternpostError):
            level, message, code = "error" if error.http_status >= 500 else "warning", error.message, error.code
            more = {"details": [self._detail(each) for each in error.details], "fix": error.fix, **error.log}
        else:
            level, message, code = "error", f"Unexpected {type(error).__name__}", "INTERNAL_ERROR"
        common = {"errorCode": code, "operation": observation.operation}
        if not self.writes(level) or not self._sampling.admits(
            (code, observation.operation, type(error)), level, message, common
        ):
            return
        chain = self._chain(error, observation, with_stack=level == "error")
        known = {"requestId": observation.request_id, **common}
        self._line(level, message, observation, {**known, **self.masked(more), **chain})

    def _detail(self, detail: Detail) -> Mapping[str, str]:
        """What a problem is. Below a sensitive value nothing of its path is told: the keys of a dictionary are values,
        too."""
        names = detail.path.split(".")
        for index, name in enumerate(names[:-1], start=1):
            if name in self.sensitive:
                return {**detail.as_json(), "path": ".".join((*names[:index], MASK))}
        return detail.as_json()

    def told(self, event: Event, observation: Observation | None) -> None:
        """The line of an event, such as the start of the service."""
        if not (event.always or self.writes(event.level)):
            return
        if event.sampled and not self._sampling.admits(event.kind, event.level, event.message, event.in_common()):
            return
        more = self.masked(dict(event.members()))
        error = more.pop("error", None)
        if isinstance(error, BaseException):
            more.update(self._error_of(event, error, observation))
        if observation is not None:
            more = {"requestId": observation.request_id, **more}
        self._line(event.level, event.message, observation, more)

    def _tell_repeated(self, repeated: Repeated) -> None:
        """The one line for those of a kind that were left out."""
        members = {**self.masked(repeated.members), "repeated": repeated.left_out}
        self._line(repeated.level, repeated.message, None, members)

    def _error_of(self, event: Event, error: BaseException, observation: Observation | None) -> dict[str, Any]:
        """What the line of an event says of its error. One that is known, and no reason to act, needs no stack."""
        known = {"errorCode": error.code, **self.masked(error.log)} if isinstance(error, SternpostError) else {}
        if known and event.level != "error":
            return known
        return {**known, **self._chain(error, observation, with_stack=True)}

    @property
    def level(self) -> Level:
        """The lowest level that is written now."""
        return self.setting if self.override.until is None else self.override.level(self.setting, self.clock.now())

    def writes(self, level: str) -> bool:
        """Whether lines of a level are written now; a level that is none of ours counts as info."""
        return LEVELS.get(level, 20) >= (self._least if self.override.until is None else self._overridden())

    def _overridden(self) -> int:
        return LEVELS[self.level]

    def flush(self) -> None:
        """Writes what waits for the end of a second, or of a turn of the event loop, which may never come."""
        self._sampling.end_second()
        if self._output is not None:
            self._output.flush()

    def bound(self, observation: Observation) -> Any:
        """A logger for the author's code; its lines carry the request's ids."""
        from sternpost.telemetry.loggers import bound_logger

        def write(level: str, message: str, values: MutableMapping[str, Any], error: BaseException | None) -> None:
            if self.writes(level):
                if error is not None:
                    values.update(self._chain(error, observation, with_stack=True))
                self._line(level, message, observation, self.masked(values))

        return bound_logger(write)

    def masked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with those of sensitive names masked, at any depth, and whatever looks like an e-mail address."""
        return {_writable(key): MASK if key in self.sensitive else self._masked(value) for key, value in values.items()}

    def _masked(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.masked(value)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return _redacted(value) if isinstance(value, str) else value

    def _chain(self, error: BaseException, observation: Observation | None, *, with_stack: bool) -> dict[str, Any]:
        """The causes of an error, and its stack; nothing of an error without causes that needs no stack."""
        causes = chain_of(error)
        if not with_stack:
            return {"causes": [_redacted(told_as(each)) for each in causes]} if len(causes) > 1 else {}
        call = None if observation is None else observation.request_id
        stack = stack_of(causes, call)
        return {"causes": [_redacted(told_as(each)) for each in causes], "stack": _redacted(stack)}

    def _line(self, level: str, message: str, observation: Observation | None, more: Mapping[str, Any]) -> None:
        line = self._first_keys(level, _redacted(message), observation)
        for key, value in more.items():
            line.setdefault(key, value)
        self._write(line)

    def _first_keys(self, level: str, message: str, observation: Observation | None) -> dict[str, Any]:
        line: dict[str, Any] = {
            "timestamp": self._instant(),
            "level": level,
            "message": message,
            "service": self.service,
        }
        if observation is None:
            line.update(traceId=None, spanId=None, userId=None, duration=0)
        else:
            line["traceId"] = observation.trace_id
            line["spanId"] = observation.span_id
            line["userId"] = observation.user_id
            line["duration"] = self._duration(observation)
        return line

    def _duration(self, observation: Observation) -> float:
        """How long a request has taken so far, in milliseconds."""
        return round((self.clock.monotonic() - observation.started) * 1000, 3)

    def _instant(self) -> str:
        """The present instant, in milliseconds. The text of the second is cached: formatting it is costly."""
        now = self.clock.now()
        since = now - self._second
        if since.days or since.seconds:  # another second; negative times have negative days
            self._second = now.replace(microsecond=0)
            self._second_text = self._second.isoformat(timespec="seconds")[:19]
        return f"{self._second_text}.{now.microsecond // 1000:03d}Z"

    def _write(self, line: dict[str, Any]) -> None:
        encoded = orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
        self.write(visible_json(encoded))


def _call_message(observation: Observation, outcome: Outcome) -> str:
    if outcome == "ok":
        return observation.success_message or _redacted(observation.asked)
    return f"{observation.operation or _redacted(observation.asked)} failed{observation.ending}"


def _redacted(text: str) -> str:
    """Clients put addresses where no field is, such as into paths: what looks like one is masked, and length is
    bounded."""
    short = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"
    if not short.isascii():
        short = _writable(short)
    return _EMAIL_LIKE.sub(MASK, short) if "@" in short else short


def _writable(text: str) -> str:
    """A text without lone surrogates, which UTF-8 cannot write: they are escaped. Keys may be something else."""
    is_plain = not isinstance(text, str) or text.isascii()  # pyright: ignore[reportUnnecessaryIsInstance]
    return text if is_plain else text.encode("utf-8", "backslashreplace").decode()
