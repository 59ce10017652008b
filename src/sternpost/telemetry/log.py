"""Log lines: JSON, one a line, with fixed first keys.

`{"timestamp", "level", "message", "service", "traceId", "spanId", "userId", "duration"}` come in every line, in this
order; more keys may follow. One line for each request, one more for each error.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog

from sternpost.clock import Clock
from sternpost.errors import SternpostError
from sternpost.telemetry.observation import Observation
from sternpost.visible import visible_json

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
MASK = "***"
TEXT_MAX = 8192
"""Characters of one value in a log line."""

PIPE_BYTES = 4096
"""What Linux writes to a pipe as a whole (PIPE_BUF in pipe(7)): lines of several processes do not run into each other.
"""

FILE_BYTES = 1 << 20
"""What is written to a file at once: what several processes append there does not mix."""

_WORD = r"[^\s/@,;:'\"<>()]"
_EMAIL_LIKE = re.compile(rf"(?<!{_WORD}){_WORD}++@{_WORD}+")
"""A match begins where a word does, and a word is read once: however long a text is, each character counts once."""

Write = Callable[[bytes], Any]


class Log:
    """Writes log lines.

    Args:
        sensitive: names (of fields, in any spelling the contract uses) whose values are masked wherever they occur.
        write: takes a line with its newline; by default standard output, unbuffered.
    """

    def __init__(
        self,
        service: str,
        clock: Clock,
        *,
        level: str = "info",
        sensitive: frozenset[str] = frozenset(),
        write: Write | None = None,
    ) -> None:
        self.service = service
        self.clock = clock
        self.least = LEVELS[level]
        self.sensitive = sensitive
        self.write = write or Output(sys.stdout.buffer).write
        self._second = datetime.min.replace(tzinfo=UTC)
        self._second_text = ""

    def request(self, observation: Observation) -> None:
        """The line of a finished request."""
        status = observation.status
        level = "info" if status < 400 else "warning" if status < 500 else "error"
        if LEVELS[level] < self.least:
            return
        path = _redacted(observation.path)
        line: dict[str, Any] = {  # written out, because it is written for each request
            "timestamp": self._instant(),
            "level": level,
            "message": _request_message(observation, path),
            "service": self.service,
            "traceId": observation.trace_id,
            "spanId": observation.span_id,
            "userId": observation.user_id,
            "duration": self._duration(observation),
            "requestId": observation.request_id,
            "method": observation.method,
            "path": path,
            "status": status,
            "operation": observation.operation,
            "statements": observation.statements,
        }
        if observation.api_version:
            line["apiVersion"] = observation.api_version
        if observation.error_code:
            line["errorCode"] = observation.error_code
        self.write(visible_json(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)))

    def error(self, observation: Observation, error: BaseException) -> None:
        """The line of an error: what the client was told, and the details that only the log has."""
        if isinstance(error, SternpostError):
            level = "error" if error.http_status >= 500 else "warning"
            more: dict[str, Any] = {
                "errorCode": error.code,
                "details": [detail.as_json() for detail in error.details],
                "fix": error.fix,
                **error.log,
            }
            message = error.message
        else:
            level, message = "error", f"Unexpected {type(error).__name__}"
            more = {"errorCode": "INTERNAL_ERROR"}
        if level == "error":
            more["stack"] = self._stack(error)
        if LEVELS[level] >= self.least:
            self._line(level, message, observation, {"requestId": observation.request_id, **self.masked(more)})

    def event(self, level: str, message: str, **more: Any) -> None:
        """A line that belongs to no request, such as the start of the service."""
        if LEVELS[level] >= self.least:
            self._line(level, message, None, self.masked(more))

    def failure(self, message: str, **more: Any) -> None:
        """A line of the error that is being handled, and that belongs to no request."""
        self.event("error", message, **more, stack=self._stack(sys.exception()))

    def bound(self, observation: Observation) -> Any:
        """A structlog logger for the author's code; its lines carry the request's ids."""

        def emit(_: Any, level: str, event: MutableMapping[str, Any]) -> str:
            level = {"warn": "warning", "exception": "error", "critical": "error"}.get(level, level)
            message = str(event.pop("event", ""))
            if event.pop("exc_info", None):
                event["stack"] = self._stack(sys.exception())
            if LEVELS.get(level, 20) >= self.least:
                self._line(level, message, observation, self.masked(event))
            raise structlog.DropEvent

        return structlog.wrap_logger(None, processors=[emit], wrapper_class=structlog.BoundLogger)

    def masked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values with those of sensitive names masked, at any depth, and whatever looks like an e-mail address."""
        return {_writable(key): MASK if key in self.sensitive else self._masked(value) for key, value in values.items()}

    def _masked(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.masked(value)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        return _redacted(value) if isinstance(value, str) else value

    def _stack(self, error: BaseException | None) -> str:
        """The frames and types of an error and its causes. Messages stand there only for types whose messages speak of
        code: a database, or a KeyError, puts values of rows into them."""
        lines: list[str] = []
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            frames = traceback.extract_tb(error.__traceback__)
            lines += [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
            lines.append(f"{type(error).__module__}.{type(error).__qualname__}{self._own_message(error)}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
            if error is not None:
                lines.append("caused by")
        return "\n".join(lines)

    def _own_message(self, error: BaseException) -> str:
        if not isinstance(error, SternpostError | RuntimeError | TypeError | AssertionError | AttributeError):
            return ""
        try:
            return f": {error}"
        except Exception as failure:  # noqa: BLE001  (an author's class: its line must not be lost for its text)
            return f": its text cannot be made ({type(failure).__name__})"

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


def _request_message(observation: Observation, path: str) -> str:
    if observation.status < 400:
        return observation.success_message or f"{observation.method} {path}"
    return f"{observation.operation or f'{observation.method} {path}'} failed with {observation.status}"


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


def _is_file(stream: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # it has no descriptor, such as one in memory
        return False


class Output:
    """Writes lines to a stream: those of one turn of the event loop at once, at its end. Outside a loop each
    at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self._bytes_max = FILE_BYTES if _is_file(stream) else PIPE_BYTES
        self._lines: list[bytes] = []
        self._flushing: asyncio.AbstractEventLoop | None = None
        """The loop that will write what is there."""

    def write(self, line: bytes) -> None:
        """Takes a line with its newline."""
        self._lines.append(line)
        if self._flushing is not None and not self._flushing.is_closed():
            return
        loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  (documented: None where none runs)
        if loop is None:
            self.flush()
        else:
            self._flushing = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes what is there."""
        lines, self._lines, self._flushing = self._lines, [], None
        joined = b"".join(lines)
        if len(joined) <= self._bytes_max:
            self._at_once(joined)
            return
        while lines:  # several processes may share the pipe
            count = size = 0
            while count < len(lines) and (count == 0 or size + len(lines[count]) <= self._bytes_max):
                size += len(lines[count])
                count += 1
            self._at_once(b"".join(lines[:count]))
            del lines[:count]

    def _at_once(self, chunk: bytes) -> None:
        if chunk:
            self.stream.write(chunk)
            self.stream.flush()


def plain_logger() -> Any:
    """A logger for the author's code where it runs for no request."""
    return structlog.get_logger()
