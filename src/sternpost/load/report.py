"""The report of a load for a browser: a page by itself, with plots, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from sternpost.load.histogram import Histogram
from sternpost.visible import visible

Data = Mapping[str, Any]

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 280, 64, 40
SHARES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99)
"""Percentiles that are marked; the last is the end of the axis."""

LABEL_WIDTH = 44
COLOURS = ("#0969da", "#bf3989", "#1a7f37", "#9a6700", "#8250df", "#cf222e", "#0550ae", "#57606a")


def html(data: Data) -> bytes:
    """A page about the load that is kept as evidence."""
    passed = not data["missed"] and not data["lagged"]
    verdict = "objectives met" if passed else "not measured" if data["lagged"] else "objectives missed"
    parts = [
        f"<h1>Load test: {escape(data['kind'])} <span class='{'passed' if passed else 'stop'}'>{verdict}</span></h1>",
        f"<p>{escape(data['at'])}, Sternpost {escape(data['sternpost'])}. Latency counts from when a call was due.</p>",
        *(f"<p class='bad'>{escape(visible(each))}</p>" for each in (*data["lagged"], *data["missed"])),
    ]
    if data["kind"] == "stress":
        parts += ["<h2>Up to the knee</h2>", _knee(data["phases"], data["knee"])]
    for phase in data["phases"]:
        parts += [f"<h2>{escape(phase['phase']['name'])}: {phase['phase']['factor']:g} × the declared rates</h2>"]
        parts += [_table(phase), _percentiles(phase)]
    return _PAGE.format(title=f"Load test: {escape(data['kind'])}", body="\n".join(parts)).encode()


def _table(phase: Data) -> str:
    head = "".join(
        f"<th>{name}</th>" for name in ("operation", "calls", "a second", "p50", "p95", "p99", "longest", "")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, phase['measured']))}</tbody></table>"


def _row(measured: Data) -> str:
    times = "".join(f"<td>{measured[name]:.1f} ms</td>" for name in ("p50_ms", "p95_ms", "p99_ms", "longest_ms"))
    missed = "; ".join(measured["missed"])
    return (
        f"<tr><td><code>{escape(measured['operation'])}</code></td><td>{measured['calls']}</td>"
        f"<td>{measured['served']:.0f}</td>{times}<td class='bad'>{escape(visible(missed))}</td></tr>"
    )


def _percentiles(phase: Data) -> str:
    """Latency by percentile, as HDR histograms are usually shown: the nearer to 100, the wider."""
    curves = {name: _curve(encoded) for name, encoded in phase["histograms"].items()}
    top = max((value for curve in curves.values() for _, value in curve), default=1.0) or 1.0
    lines = [
        f"<polyline fill='none' stroke='{COLOURS[number % len(COLOURS)]}' stroke-width='2' points='"
        + " ".join(f"{_across(share):.1f},{_up(value, top):.1f}" for share, value in curve)
        + "'/>"
        for number, curve in enumerate(curves.values())
    ]
    marks = [
        f"<text x='{_across(share):.0f}' y='{HEIGHT - 18}' text-anchor='middle'>{share:g}</text>" for share in SHARES
    ]
    return _figure((*lines, *marks), top, "percentile", list(curves))


def _curve(encoded: str) -> list[tuple[float, float]]:
    found = Histogram.decoded(encoded)
    return [(share, found.percentile_ms(share)) for share in _shares()]


def _shares() -> Iterator[float]:
    for step in range(101):
        yield 100 - 100 * 10 ** (-4 * step / 100)


def _across(share: float) -> float:
    place = 1.0 if share >= 100 else min(1.0, -math.log10(1 - share / 100) / 4)
    return LEFT + place * (WIDTH - LEFT - 20)


def _up(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - 20)


def _knee(phases: Sequence[Data], knee: float | None) -> str:
    """The 95th percentile of each operation by the rate of all calls."""
    rates = [sum(each["served"] for each in phase["measured"]) for phase in phases]
    right = max(rates, default=1.0) or 1.0
    names = [each["operation"] for each in phases[0]["measured"]] if phases else []
    top = max((each["p95_ms"] for phase in phases for each in phase["measured"]), default=1.0) or 1.0

    def place(rate: float) -> float:
        return LEFT + rate / right * (WIDTH - LEFT - 20)

    lines = [
        f"<polyline fill='none' stroke='{COLOURS[number % len(COLOURS)]}' stroke-width='2' points='"
        + " ".join(
            f"{place(rate):.1f},{_up(phase['measured'][number]['p95_ms'], top):.1f}"
            for rate, phase in zip(rates, phases, strict=True)
        )
        + "'/>"
        for number in range(len(names))
    ]
    told = -math.inf
    for rate, phase in zip(rates, phases, strict=True):
        if place(rate) > told + LABEL_WIDTH:
            told = place(rate)
            lines.append(f"<text x='{told:.0f}' y='{HEIGHT - 18}' text-anchor='middle'>{rate:.0f}</text>")
        if knee is not None and phase["phase"]["factor"] == knee:
            lines.append(
                f"<line x1='{place(rate):.0f}' x2='{place(rate):.0f}' y1='20' y2='{HEIGHT - BOTTOM}' "
                "stroke='currentColor' stroke-dasharray='4'/>"
            )
    return _figure(lines, top, "calls a second, p95", names)


def _figure(inside: Sequence[str], top: float, below: str, names: Sequence[str]) -> str:
    legend = "".join(
        f"<li style='color:{COLOURS[number % len(COLOURS)]}'>{escape(name)}</li>" for number, name in enumerate(names)
    )
    return (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='latency by {below}'>"
        f"<line x1='{LEFT}' x2='{LEFT}' y1='20' y2='{HEIGHT - BOTTOM}' stroke='currentColor'/>"
        f"<line x1='{LEFT}' x2='{WIDTH - 20}' y1='{HEIGHT - BOTTOM}' y2='{HEIGHT - BOTTOM}' stroke='currentColor'/>"
        f"<text x='{LEFT - 6}' y='26' text-anchor='end'>{top:.3g} ms</text>"
        f"<text x='{LEFT - 6}' y='{HEIGHT - BOTTOM}' text-anchor='end'>0</text>"
        f"<text x='{WIDTH - 20}' y='{HEIGHT - 4}' text-anchor='end'>{below}</text>"
        f"{''.join(inside)}</svg><ul>{legend}</ul>"
    )


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}
h1 span {{ font-size: 1rem; padding: .2rem .6rem; border-radius: .3rem; color: #fff; vertical-align: middle; }}
h1 .passed {{ background: var(--good); }} h1 .stop {{ background: var(--bad); }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); }}
td:nth-child(n+2):nth-child(-n+7), th:nth-child(n+2):nth-child(-n+7) {{ text-align: right; }}
.bad {{ color: var(--bad); }}
svg {{ width: 100%; height: auto; margin-top: 1rem; }} svg text {{ font-size: 12px; fill: currentColor; }}
ul {{ list-style: "■ "; display: flex; flex-wrap: wrap; gap: .2rem 2rem; padding-left: 1.2rem; margin: 0; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
