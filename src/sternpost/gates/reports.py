"""The report of a gate for other programs and for a browser: JUnit XML, SARIF 2.1.0 (OASIS), HTML."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Literal
from xml.etree import ElementTree as Xml

import orjson

from sternpost.gates.gate import Report, Result
from sternpost.version import __version__
from sternpost.visible import visible

_PLACE = re.compile(r"(?P<file>[^:\s]+\.\w+)(?::(?P<line>\d+))?$")
"""A finding that is in a file. Others are about an operation, or a setting."""


def junit(report: Report) -> bytes:
    """A test suite with a test for each criterion, as continuous integration shows it."""
    failures = sum(result.stops for result in report.results)
    unchecked = sum(result.answer.outcome == "not applicable" or result.waiver is not None for result in report.results)
    suite = Xml.Element(
        "testsuite",
        name=f"gate {report.gate}",
        tests=str(len(report.results) + len(report.problems)),
        failures=str(failures + len(report.problems)),
        errors="0",
        skipped=str(unchecked),
        time=f"{report.seconds:.3f}",
        timestamp=report.at.isoformat(),
    )
    for result in report.results:
        name = f"{result.criterion.code} {result.criterion.title}"
        case = Xml.SubElement(suite, "testcase", classname=f"gate.{report.gate}", name=name)
        if result.stops:
            failure = Xml.SubElement(case, "failure", message=result.answer.outcome)
            failure.text = visible("\n".join(_lines(result)), keep="\n")
        elif result.waiver is not None:
            Xml.SubElement(
                case, "skipped", message=visible(f"waived until {result.waiver.until}: {result.waiver.reason}")
            )
        elif result.answer.outcome == "not applicable":
            Xml.SubElement(case, "skipped", message=visible(result.answer.reason))
    for number, problem in enumerate(report.problems, 1):
        case = Xml.SubElement(suite, "testcase", classname=f"gate.{report.gate}", name=f"problem {number}")
        Xml.SubElement(case, "failure", message=visible(problem))
    return Xml.tostring(suite, encoding="utf-8", xml_declaration=True)


def sarif(report: Report) -> bytes:
    """A run with a rule for each criterion, and a result for each finding, as code hosting shows it."""
    rules = [
        {
            "id": result.criterion.code,
            "shortDescription": {"text": result.criterion.title},
            "fullDescription": {"text": result.criterion.why},
            "help": {"text": result.criterion.fix},
        }
        for result in report.results
    ]
    found: list[dict[str, Any]] = []
    for result in report.results:
        for finding in result.answer.findings:
            entry: dict[str, Any] = {
                "ruleId": result.criterion.code,
                "level": "error" if result.stops else "note",
                "message": {"text": f"{finding.where}: {finding.what}. Fix: {finding.fix}"},
                "locations": [_location(finding.where)],
            }
            if result.waiver is not None:
                why = f"{result.waiver.reason} ({result.waiver.by}, until {result.waiver.until})"
                entry["suppressions"] = [{"kind": "external", "justification": why}]
            found.append(entry)
    notes = [{"level": "error", "message": {"text": problem}} for problem in report.problems]
    run = {
        "tool": {"driver": {"name": f"sternpost gate {report.gate}", "version": __version__, "rules": rules}},
        "results": found,
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return orjson.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, option=orjson.OPT_INDENT_2)


def _location(where: str) -> dict[str, Any]:
    place = _PLACE.fullmatch(where)
    if place is None:
        return {"logicalLocations": [{"fullyQualifiedName": where}]}
    physical: dict[str, Any] = {"artifactLocation": {"uri": place["file"]}}
    if place["line"]:
        physical["region"] = {"startLine": int(place["line"])}
    return {"physicalLocation": physical}


def _lines(result: Result) -> list[str]:
    return [f"{each.where}: {each.what}\n  fix: {each.fix}" for each in result.answer.findings]


def html(report: Report) -> bytes:
    """A page by itself: no script, nothing that is loaded from elsewhere."""
    verdict = "PASSED" if report.passed else "STOP"
    some = ", some criteria alone" if report.partial else ""
    prints = "".join(
        f"<dt>{name}</dt><dd><code>{digest}</code></dd>" for name, digest in report.fingerprint.as_data().items()
    )
    parts = [
        f"<h1>Gate {report.gate}{some} <span class='{verdict.lower()}'>{verdict}</span></h1>",
        f"<p>{escape(report.at.isoformat(timespec='seconds'))}, {report.seconds:.1f} s, Sternpost {__version__}</p>",
        *(f"<p class='problem'>{_text(problem)}</p>" for problem in report.problems),
        "<table><thead><tr><th></th><th></th><th>Criterion</th><th>Looked at</th></tr></thead><tbody>",
        *(_row(result) for result in report.results),
        "</tbody></table>",
        f"<h2>Fingerprint</h2><dl>{prints}</dl>",
    ]
    return _PAGE.format(title=f"Gate {report.gate}: {verdict}", body="\n".join(parts)).encode()


def _row(result: Result) -> str:
    state = "waived" if result.waiver is not None else result.answer.outcome
    found = "".join(
        f"<li><code>{_text(each.where)}</code>: {_text(each.what)}<br><b>Fix:</b> {_text(each.fix)}</li>"
        for each in result.answer.findings
    )
    waiver = ""
    if result.waiver is not None:
        waiver = (
            f"<p>Waived until {result.waiver.until} by {_text(result.waiver.by)}: {_text(result.waiver.reason)}</p>"
        )
    reason = f"<p>{_text(result.answer.reason)}</p>" if result.answer.reason and not found else ""
    listed = f"<ul>{found}</ul>" if found else ""
    looked_at = _text(result.answer.looked_at)
    return (
        f"<tr class='{state.replace(' ', '-')}'><td class='state'>{state}</td><td>{result.criterion.code}</td>"
        f""
        f"<td>{escape(result.criterion.title)}</td><td>{looked_at}{reason}{waiver}{listed}</td></tr>"
    )


def _text(text: str) -> str:
    return escape(visible(text))


FORMS: Mapping[Literal["html", "junit", "sarif"], Callable[[Report], bytes]] = {
    "html": html,
    "junit": junit,
    "sarif": sarif,
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --open: #9a6700; }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }}
h1 span {{ font-size: 1rem; padding: .2rem .6rem; border-radius: .3rem; color: #fff; vertical-align: middle; }}
h1 .passed {{ background: var(--good); }} h1 .stop {{ background: var(--bad); }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .5rem .8rem .5rem 0; border-bottom: 1px solid var(--line); }}
td.state {{ white-space: nowrap; font-weight: 600; }}
.pass .state {{ color: var(--good); }} .fail .state, .could-not-check .state, .problem {{ color: var(--bad); }}
.waived .state {{ color: var(--open); }} .not-applicable {{ opacity: .7; }}
ul {{ margin: .4rem 0; padding-left: 1.2rem; }} code {{ overflow-wrap: anywhere; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }} dd {{ margin: 0; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
