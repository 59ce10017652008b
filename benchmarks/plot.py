"""A plot as SVG, without a library: bars of server and database CPU per request, one panel for each workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, NUMBER = 860, 150, 150
BAR, GAP, TITLE = 15, 7, 34
TEXT = "#7a828e"
"""Grey that can be read on white and on black."""

COLOURS = {"server": "#94a3b8", "own server": "#0d9488", "database": "#d1d5db", "own database": "#99d5cf"}


@dataclass(frozen=True)
class Bar:
    """A stack's figures, in microseconds a request."""

    label: str
    server: float
    database: float
    own: bool = False


@dataclass(frozen=True)
class Panel:
    """A workload with a bar for each stack."""

    title: str
    bars: Sequence[Bar]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The whole plot. Bars of all panels have the same scale."""
    longest = max(bar.server + bar.database for panel in panels for bar in panel.bars)
    scale = (WIDTH - LABEL - NUMBER) / longest
    parts: list[str] = [text(0, 16, title, weight="600")]
    y = 26
    for panel in panels:
        parts.append(text(0, y + 20, panel.title))
        y += TITLE
        for bar in panel.bars:
            parts += draw_bar(bar, y, scale)
            y += BAR + GAP
    y += 14
    parts += [*key(LABEL, y, "server", "server CPU"), *key(LABEL + 120, y, "database", "database CPU")]
    height = y + 22
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12">\n'
        f"<title>{escape(title)}</title>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def draw_bar(bar: Bar, y: float, scale: float) -> list[str]:
    """Label, server, database behind it, and the figures."""
    own = "own " if bar.own else ""
    server, database = max(bar.server * scale, 1), bar.database * scale
    figures = f"{bar.server:,.0f} + {bar.database:,.0f} µs" if bar.database else f"{bar.server:,.0f} µs"
    return [
        text(LABEL - 8, y + 12, bar.label, anchor="end", weight="600" if bar.own else "400"),
        box(LABEL, y, server, COLOURS[f"{own}server"]),
        box(LABEL + server, y, database, COLOURS[f"{own}database"]),
        text(LABEL + server + database + 6, y + 12, figures),
    ]


def key(x: float, y: float, colour: str, what: str) -> list[str]:
    """What a colour says."""
    return [box(x, y - 10, 12, COLOURS[colour], height=12), text(x + 18, y, what)]


def box(x: float, y: float, width: float, colour: str, height: float = BAR) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"/>'


def text(x: float, y: float, what: str, anchor: str = "start", weight: str = "400") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{TEXT}" text-anchor="{anchor}" font-weight="{weight}">{escape(what)}</text>'
