"""Writes docs/explanation/limits.svg: what each algorithm of rate limits lets pass of the same calls."""

from __future__ import annotations

from pathlib import Path

from sternpost.limits.algorithms import FRESH, WEIGH
from sternpost.ports.limits import Rule

PLOT = Path(__file__).parents[1] / "docs" / "explanation" / "limits.svg"

SECOND = 1_000_000
SECONDS = 30
QUANTITY = 10
PERIOD_SECONDS = 10
PERIOD = PERIOD_SECONDS * SECOND
LIMITS = (
    ("fixed window", Rule("fixed_window", QUANTITY, PERIOD), "#2a78d6"),
    ("sliding window", Rule("sliding_window", QUANTITY, PERIOD), "#c4552d"),
    ("token bucket", Rule("token_bucket", QUANTITY, PERIOD, QUANTITY), "#2e8b57"),
    ("leaky bucket, queue", Rule("leaky_bucket", QUANTITY, PERIOD, QUANTITY, True), "#8a4fbf"),
)

WIDTH, LEFT, RIGHT = 760, 60, 20
TOP, PANEL, BETWEEN = 44, 104, 22
CALL = 9
"""The height of one call."""


def calls() -> list[int]:
    """The burst: six calls a second around the edge of a window, and one every second after it."""
    burst = [8 * SECOND + place * SECOND // 6 for place in range(24)]
    return [*burst, *range(12 * SECOND + SECOND // 2, SECONDS * SECOND, SECOND)]


def passed(rule: Rule) -> list[int]:
    """When each call goes on that passes."""
    state, gone = FRESH[rule.algorithm], list[int]()
    for now_us in calls():
        state, verdict = WEIGH[rule.algorithm](rule, state, now_us, 1)
        if verdict.allowed:
            gone.append(now_us + verdict.wait_us)
    return gone


def draw() -> str:
    """The picture: for each algorithm a mark for each call, and how many have passed up to then."""
    height = TOP + (len(LIMITS) + 1) * (PANEL + BETWEEN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="sans-serif" font-size="12" fill="#333">',
        "<title>What each algorithm lets pass of the same calls</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">The same calls, and a limit of {QUANTITY} in '
        f"{PERIOD_SECONDS} seconds: how many pass in each second</text>",
        *_panel("calls that come", calls(), "#888", 0),
    ]
    for number, (name, rule, colour) in enumerate(LIMITS, 1):
        parts += _panel(name, passed(rule), colour, number)
    axis = TOP + (len(LIMITS) + 1) * (PANEL + BETWEEN) - BETWEEN
    for second in range(0, SECONDS + 1, 5):
        parts.append(f'<text x="{_x(second * SECOND):g}" y="{axis + 20}" text-anchor="middle">{second} s</text>')
    return "\n".join([*parts, "</svg>", ""])


def _x(at_us: int) -> float:
    return round(LEFT + at_us / (SECONDS * SECOND) * (WIDTH - LEFT - RIGHT), 2)


def _panel(name: str, times: list[int], colour: str, number: int) -> list[str]:
    top = TOP + number * (PANEL + BETWEEN)
    base = top + PANEL
    shown = [at for at in times if at < SECONDS * SECOND]
    late = len(times) - len(shown)
    told = f"{name}: {len(shown)}" + (f", and {late} later" if late else "")
    lines = [f'<text x="{LEFT}" y="{top + 10}" font-weight="bold">{told}</text>']
    for edge in range(0, SECONDS + 1, PERIOD_SECONDS):
        x = _x(edge * SECOND)
        lines.append(f'<path d="M{x:g} {top + 16}V{base}" stroke="#ccc" stroke-dasharray="3 3"/>')
    for second in range(SECONDS):
        count = sum(second * SECOND <= at < (second + 1) * SECOND for at in shown)
        if count:
            x, tall = _x(second * SECOND), count * CALL
            wide = round(_x(SECOND) - _x(0) - 4, 2)
            lines.append(
                f'<rect x="{x + 2:g}" y="{base - tall:g}" width="{wide:g}" height="{tall:g}" fill="{colour}"/>'
            )
            lines.append(f'<text x="{x + 2 + wide / 2:g}" y="{base - tall - 3:g}" text-anchor="middle">{count}</text>')
    lines.append(f'<path d="M{LEFT} {base}H{WIDTH - RIGHT}" stroke="#666"/>')
    return lines


if __name__ == "__main__":
    PLOT.write_text(draw(), encoding="utf-8")
    print(PLOT)
