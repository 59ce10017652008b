"""Log lines that several processes write to one pipe stay whole."""

from __future__ import annotations

import io

from sternpost.telemetry.output import PIPE_BYTES, Output


class Recorded(io.BytesIO):
    """Notes what was handed over between two flushes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def flush(self) -> None:
        self.writes.append(self.getvalue())
        self.seek(0)
        self.truncate()


async def test_lines_of_one_turn_go_in_whole_pieces_that_a_pipe_takes_at_once() -> None:
    stream = Recorded()
    output = Output(stream)
    lines = [bytes([65 + number % 26]) * (100 + 37 * number % 900) + b"\n" for number in range(50)]
    lines.insert(20, b"x" * 2 * PIPE_BYTES + b"\n")
    for line in lines:
        output.write(line)
    output.flush()
    assert b"".join(stream.writes) == b"".join(lines)
    assert all(piece.endswith(b"\n") for piece in stream.writes)
    assert [len(piece) for piece in stream.writes if len(piece) > PIPE_BYTES] == [2 * PIPE_BYTES + 1]
    assert len(stream.writes) < len(lines) / 3
