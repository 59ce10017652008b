"""The commands, run as a person or another program runs them: in a process of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.support.forks import TIMEOUT_SECONDS, Forked, run, start


class Shell:
    """Runs commands in a folder with a contract, as another program would."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "STERNPOST_DATABASE_URL": database_url, "NO_COLOR": "1"}

    def __call__(self, *arguments: str, columns: int = 200) -> subprocess.CompletedProcess[str]:
        return run(arguments, self.folder, {**self.environment, "COLUMNS": str(columns)})

    def refusal(self, *arguments: str) -> str:
        done = self(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def in_terminal(self, *arguments: str, columns: int = 200, colors: bool = False, typed: str | None = None) -> str:
        """What a command prints to a terminal, where a person has `typed` something."""
        reading, writing = pty.openpty()
        environment = {**self.environment, "COLUMNS": str(columns), "TERM": "xterm-256color"}
        if colors:
            del environment["NO_COLOR"]
        process: subprocess.Popen[bytes] | Forked
        if typed is None:
            process = start(arguments, self.folder, environment, writing, writing, seconds=TIMEOUT_SECONDS)
        else:
            command = [sys.executable, "-m", "sternpost", *arguments]
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=writing, stdout=writing, stderr=writing
            )
            os.write(reading, typed.encode())
        os.close(writing)
        chunks: list[bytes] = []
        try:
            while chunk := os.read(reading, 65536):
                chunks.append(chunk)
        except OSError:  # Linux's way to say that the other side is closed
            pass
        os.close(reading)
        process.wait(60)
        return b"".join(chunks).decode()
