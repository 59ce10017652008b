"""Tables and the plot, from a result file: `docs/explanation/performance.md` between its marks, and in the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.goals import BASELINE, DATABASES, TITLES, goals, ratio_text, spans_sent
from benchmarks.plot import Bar, Panel, draw
from benchmarks.results import Report
from benchmarks.stacks import OWN, OWN_HARDENED, ROOT
from benchmarks.summary import Row, per_stack, summarise
from benchmarks.workloads import WORKLOADS

PAGE = ROOT / "docs/explanation/performance.md"
PLOT = PAGE.with_name("performance.svg")
OWN_STACKS = (OWN_HARDENED, OWN)


def write_pages(report: Report) -> None:
    """Puts a report into the page: what it has not measured stays as it is."""
    parts = tables(report)
    page = PAGE.read_text(encoding="utf-8")
    for name, content in parts.items():
        page = replace(page, name, content)
    PAGE.write_text(page, encoding="utf-8")
    rows = summarise(report.samples, BASELINE) if report.kind == "bench" else []
    if rows:
        PLOT.write_text(plot(rows), encoding="utf-8")


def replace(page: str, name: str, content: str) -> str:
    """The page with other text between `<!-- begin name -->` and `<!-- end name -->`.

    Raises:
        ValueError: the page has no such marks.
    """
    marks = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"{PAGE.name} has no marks for {name}")
    return marks.sub(lambda found: f"{found[1]}\n{content}\n\n{found[2]}", page)


def tables(report: Report) -> dict[str, str]:
    """The generated parts of the page by the name of their mark."""
    found: dict[str, str] = {}
    rows = summarise(report.samples, BASELINE) if report.kind == "bench" else []
    if rows:
        found["results"] = f"![CPU per request, of the server and of the database]({PLOT.name})\n\n{results(rows)}"
        found["goals"] = goal_table(report)
        found["spans"] = section("spans", spans_sent(report.samples))
        found["start"] = start(report)
        found["measured-on"] = measured_on(report)
    if report.kind == "scale":
        found["scale"] = "\n\n".join(section(name, lines) for name, lines in report.sections.items())
        found["scale-measured-on"] = measured_on(report)
    else:
        found.update({name: section(name, lines) for name, lines in report.sections.items()})
    if report.kind == "mechanisms":
        found["mechanisms-measured-on"] = measured_on(report)
    return found


def results(rows: Sequence[Row]) -> str:
    """A table for each database and number of connections."""
    parts: list[str] = []
    for database, connections in dict.fromkeys((row.key.database, row.key.connections) for row in rows):
        chosen = [row for row in rows if (row.key.database, row.key.connections) == (database, connections)]
        workloads = list(dict.fromkeys(row.key.workload for row in chosen))
        lines = [
            f"**{DATABASES[database]}, {connections} connections, one worker**",
            "",
            table_line("", *workloads),
            table_line("---", *("---" for _ in workloads)),
        ]
        for stack in dict.fromkeys(row.stack for row in chosen):
            cells = [cell(row) for row in chosen if row.stack == stack]
            lines.append(table_line(bold(stack), *cells))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def cell(row: Row) -> str:
    """Server CPU, its ratio with the spread, and the database's CPU."""
    ratio = f" = {ratio_text(row.server_ratio)}" if row.server_ratio and row.stack != BASELINE else ""
    database = f"<br>database {row.database.median:,.0f}" if row.database else ""
    return f"{row.server.median:,.0f} µs{ratio}{database}"


def bold(stack: str) -> str:
    title = TITLES.get(stack, stack)
    return f"**{title}**" if stack in OWN_STACKS else title


def goal_table(report: Report) -> str:
    """What was asked for, beside what was found."""
    lines = [("Goal", "Found", ""), ("---", "---", "---")]
    lines += [(goal.asked, goal.found, "reached" if goal.reached else "**missed**") for goal in goals(report)]
    return "\n".join(table_line(*line) for line in lines)


def start(report: Report) -> str:
    """Start and memory of each stack."""
    begun = per_stack(report.samples, lambda sample: sample.start_seconds)
    memory = per_stack(report.samples, lambda sample: sample.resident_bytes / 1e6)
    used = per_stack(report.samples, lambda sample: sample.start_cpu_seconds)
    lines = [table_line("", "start, s", "CPU for it, s", "memory after load, MB"), table_line(*["---"] * 4)]
    for stack in begun:
        times = f"{begun[stack].median:.2f} ({begun[stack].low:.2f}–{begun[stack].high:.2f})"
        lines.append(table_line(bold(stack), times, f"{used[stack].median:.2f}", f"{memory[stack].high:.0f}"))
    return "\n".join(lines)


def section(name: str, lines: Sequence[dict[str, object]]) -> str:
    """Rows of one shape as a table."""
    if not lines:
        return f"*{name}: not measured*"
    head = list(lines[0])
    body = [table_line(*(shown(line[column]) for column in head if column in line)) for line in lines]
    return "\n".join([table_line(*head), table_line(*("---" for _ in head)), *body])


def shown(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def table_line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def measured_on(report: Report) -> str:
    """The machine, the commit and the versions."""
    machine = report.machine
    changed = " with changes that are not committed" if report.changed else ""
    course = "; ".join(f"{name} {value}" for name, value in report.course.items())
    versions = ", ".join(f"{name} {number}" for name, number in report.versions.items())
    return (
        f"{report.made[:10]}, commit `{report.commit}`{changed}. {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}.\n{course}.\n\nVersions: {versions}."
    )


def plot(rows: Iterable[Row]) -> str:
    """W1, W2 and W3 on PostgreSQL with the fewest connections that were measured."""
    chosen = [row for row in rows if row.key.database == "postgresql"] or list(rows)
    connections = min(row.key.connections for row in chosen)
    chosen = [row for row in chosen if row.key.connections == connections]
    panels = [
        Panel(
            f"{workload}: {WORKLOADS[workload].title}",
            [
                Bar(
                    TITLES.get(row.stack, row.stack),
                    row.server.median,
                    row.database.median if row.database else 0.0,
                    row.stack in OWN_STACKS,
                )
                for row in chosen
                if row.key.workload == workload
            ],
        )
        for workload in dict.fromkeys(row.key.workload for row in chosen)
    ]
    where = DATABASES[chosen[0].key.database]
    return draw(f"CPU per request, {where}, {connections} connections, one worker: less is better", panels)


def check_page(path: Path = PAGE) -> list[str]:
    """The marks that a page has."""
    return re.findall(r"<!-- begin ([a-z-]+) -->", path.read_text(encoding="utf-8"))
