"""`sternpost dev`: serves in a child process. After a change of the contract it writes the types, offers the migration,
applies it, and starts a new child; until then, and where the contract has mistakes, the last good version is served."""

from __future__ import annotations

import itertools
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from types import FrameType

from pydantic import TypeAdapter
from watchfiles import DefaultFilter, watch

from sternpost.cli.outlook import BASELINE, Outlook
from sternpost.cli.output import errors, shown
from sternpost.plan.model import Plan
from sternpost.settings import Settings
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sqlite.dialect import SqliteDialect

STOP_SECONDS = 10
TICK_MS = 150
"""How often the terminal is looked at for an answer."""


class SourceFilter(DefaultFilter):
    """What a service is made of: Python, settings, SQL."""

    def __call__(self, change: object, path: str) -> bool:
        relevant = path.endswith((".py", ".toml", ".sql", ".env")) and "/.sternpost/" not in path
        return relevant and super().__call__(change, path)  # pyright: ignore[reportArgumentType]


def run_dev(app: str, options: list[str], *, yes: bool = False, allow_destructive: bool = False) -> int:
    """Serves until SIGINT or SIGTERM; 0."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    loop = Development(app, options, yes=yes, allow_destructive=allow_destructive)
    try:
        loop.look()
        for changes in watch(
            Path.cwd(),
            watch_filter=SourceFilter(),
            stop_event=stopping,
            debounce=200,
            step=50,
            rust_timeout=TICK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            if loop.is_new(path for _, path in changes):
                loop.changed()
            else:
                loop.listen()
    finally:
        loop.end()
    return 0


class Development:
    """The child that serves, and the question that is open, if one is.

    Args:
        app: the application, as module:attribute.
        options: of `sternpost serve`.
        yes: migrations are applied without a question.
        allow_destructive: with `yes`, those that destroy data, too.
    """

    def __init__(self, app: str, options: list[str], *, yes: bool, allow_destructive: bool) -> None:
        self.app = app
        self.options = options
        self.yes = yes
        self.allow_destructive = allow_destructive
        self._child: subprocess.Popen[bytes] | None = None
        self._asked: Outlook | None = None
        self._answers: list[str] = []
        self._own: dict[str, bytes] = {}
        """What this process has written itself: no reason to look again."""

    # -- what happens

    def is_new(self, paths: Iterable[str]) -> bool:
        """Whether one of the files is other than what was written here."""
        return any(_content(path) != self._own.get(str(Path(path).resolve())) for path in paths)

    def changed(self) -> None:
        """A file was saved."""
        if self._asked is not None:
            errors.print("\n[yellow]changed[/]: the question is withdrawn")
        self._answers = []
        self.look()

    def look(self) -> None:
        """Finds out what the contract needs, and does it or asks."""
        self._asked = None
        found = self._outlook()
        if found is None:
            self._wait("waiting for the next save")
            return
        for path in found.wrote:
            errors.print(f"[green]wrote[/] {shown(path)}")
            self._remember(Path(path))
        match found.situation:
            case "ready":
                self._serve()
            case "create" | "set aside":
                if self._sternpost("migrate", "apply", self.app, "--set-aside"):
                    self._serve()
                else:
                    self._wait("waiting for the next save")
            case "unclear":
                for text in found.problems:
                    errors.print(f"  - {shown(text)}")
                self._wait(
                    "the database cannot be migrated without an answer: give the field a default, or run migrate plan"
                )
            case "question":
                self._ask_what_happened(found)
            case "migrate":
                self._offer(found)

    def listen(self) -> None:
        """Takes the line that was typed, if there is one."""
        if not (_is_terminal() and select.select([sys.stdin], [], [], 0)[0]):
            return
        typed = os.read(sys.stdin.fileno(), 4096)
        if typed:
            self._answer(typed.decode(errors="replace").strip())

    def end(self) -> None:
        """Ends the child, as Ctrl-C does: at once for connections that nobody uses just now, such as a browser's."""
        if self._child is None:
            return
        self._child.send_signal(signal.SIGINT)
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child = None

    # -- questions

    def _ask_what_happened(self, found: Outlook) -> None:
        errors.print(f"{shown(found.about)} is no longer in the contract. What happened to it?")
        for number, choice in enumerate((*found.candidates, "dropped"), start=1):
            errors.print(f"  {number}  {shown(choice)}")
        if not _is_terminal() or self.yes:
            self._wait("run sternpost migrate plan, which asks; with --rename or --drop it does not")
            return
        self._ask(found, "Number:")

    def _offer(self, found: Outlook) -> None:
        lost = [loses for _, loses in found.steps if loses]
        errors.print("[bold]The database has to be migrated[/]:")
        for title, loses in found.steps:
            errors.print(f"  {shown(title)}" + (f"  [red]destroys {shown(loses)}[/]" if loses else ""))
        if not found.steps:
            errors.print("  nothing in the tables; the migration notes the contract")
        if self.yes and lost and not self.allow_destructive:
            self._wait("--yes does not destroy data: give --allow-destructive, too, or run without --yes")
        elif self.yes:
            self._migrate(found)
        elif not _is_terminal():
            commands = ["sternpost migrate plan"] if found.plans else []
            self._wait(f"run {' and '.join([*commands, 'sternpost migrate apply'])}, or sternpost dev --yes")
        elif lost:
            self._ask(found, "This destroys data. Write yes in full to apply it:")
        else:
            self._ask(found, "Apply it? [y/N]")

    def _ask(self, found: Outlook, text: str) -> None:
        self._asked = found
        if self._serving:
            errors.print("[dim]the last good version is served meanwhile[/]")
        errors.print(f"[bold]{shown(text)}[/] ", end="")

    def _answer(self, typed: str) -> None:
        found, self._asked = self._asked, None
        if found is None:  # Enter looks again, such as after a migration that was applied elsewhere
            self.look()
        elif found.situation == "question":
            choices = (*found.candidates, "dropped")
            if typed.isdecimal() and 1 <= int(typed) <= len(choices):
                chosen = choices[int(typed) - 1]
                self._answers += (
                    ["--drop", found.about] if chosen == "dropped" else ["--rename", f"{found.about}:{chosen}"]
                )
            self.look()
        elif typed.lower() == "yes" or (typed.lower() == "y" and not any(loses for _, loses in found.steps)):
            self._migrate(found)
        else:
            self._wait("not applied; save again, or press Enter, to be asked once more")

    def _migrate(self, found: Outlook) -> None:
        """Writes the migration and applies it."""
        destructive = ["--allow-destructive"] if any(loses for _, loses in found.steps) else []
        if found.begins:
            Path(found.folder).mkdir(parents=True, exist_ok=True)
            for path in BASELINE.glob("*.py"):
                shutil.copy(path, found.folder)
        planned = not found.plans or self._sternpost("migrate", "plan", self.app, *self._answers)
        for path in Path(found.folder).glob("*.py"):
            self._remember(path)
        if planned and self._sternpost("migrate", "apply", self.app, *destructive):
            self._answers = []
            self._serve()
        else:
            self._wait("waiting for the next save")

    # -- processes

    @property
    def _serving(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def _wait(self, reason: str) -> None:
        more = "; the last good version is still served" if self._serving else ""
        errors.print(f"[yellow]{shown(reason)}[/]{more}")

    def _serve(self) -> None:
        if self._child is not None:
            errors.print("[cyan]changed[/]: restarting")
            self.end()
        command = [sys.executable, "-m", "sternpost", "serve", self.app, "--workers", "1", *self.options]
        self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def _outlook(self) -> Outlook | None:
        """What there is to do; None where the contract has mistakes, which are shown. In a fresh process, so that
        nothing of an earlier version is left in memory."""
        command = [sys.executable, "-m", "sternpost", "dev-look", self.app, *self._answers]
        looked = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        if looked.returncode != 0:
            return None
        last = looked.stdout.splitlines()[-1]  # before it is what the author's modules print
        return TypeAdapter(Outlook).validate_json(last)

    def _sternpost(self, *arguments: str) -> bool:
        command = [sys.executable, "-m", "sternpost", *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode == 0

    def _remember(self, path: Path) -> None:
        self._own[str(path.resolve())] = _content(path)


def _content(path: str | Path) -> bytes:
    """What is in a file; for one that is gone, what no file of text holds."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return b"\0"


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def set_other_schema_aside(settings: Settings, plan: Plan) -> Path | None:
    """Renames the SQLite file of `settings` where it holds another schema than the plan's; where it is now."""
    url = settings.database_url.get_secret_value()
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path.is_file() or settings.production:
        return None
    with closing(sqlite3.connect(path)) as connection:
        try:
            found = connection.execute("SELECT fingerprint FROM sternpost_schema").fetchall()
        except sqlite3.Error:  # no database of ours: left for `migrate apply` to judge
            return None
    if (Schema(plan, SqliteDialect()).fingerprint,) in found:
        return None
    number = next(number for number in itertools.count(1) if not path.with_name(f"{path.name}.{number}").exists())
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(f"{path.name}.{number}{suffix}"))
    return path.with_name(f"{path.name}.{number}")
