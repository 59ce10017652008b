"""The configuration, the alerts and the queries of the page on metrics: promtool accepts them, and every metric is there."""

from __future__ import annotations

import re
from pathlib import Path

from sternpost.telemetry.metric_names import EVERY
from tests.conftest import not_run
from tests.docs.pages import DOCS, blocks
from tests.support.promtool import NoPromtool, check

PAGE = DOCS / "how-to" / "watch-metrics.md"
TOKEN_FILE = "/etc/prometheus/shop-ops-token"


def exposed() -> set[str]:
    """The names that queries may use."""
    names: set[str] = set()
    for each in EVERY:
        if each.kind == "histogram":
            names |= {f"{each.name}_{part}" for part in ("bucket", "sum", "count")}
        else:
            names.add(f"{each.name}_total" if each.kind == "counter" else each.name)
    return names


def queries() -> list[str]:
    return [block.code.strip() for block in blocks(PAGE, "promql")]


def yaml(title: str) -> str:
    [found] = [block.code for block in blocks(PAGE, "yaml") if block.title == title]
    return found


def test_every_metric_of_the_page_exists() -> None:
    text = " ".join([*queries(), yaml("alerts.yml")])
    named = set(re.findall(r"\bsternpost_\w+", text))
    assert len(named) > 8
    assert named - exposed() == set()


def test_promtool_accepts_configuration_alerts_and_queries(tmp_path: Path) -> None:
    assert len(queries()) > 8
    token, config, alerts, asked = (tmp_path / name for name in ("token", "prometheus.yml", "alerts.yml", "asked.yml"))
    token.write_text("secret", encoding="utf-8")
    assert TOKEN_FILE in yaml("prometheus.yml")
    config.write_text(yaml("prometheus.yml").replace(TOKEN_FILE, str(token)), encoding="utf-8")
    alerts.write_text(yaml("alerts.yml"), encoding="utf-8")
    rules = "".join(f"      - record: a:{number}\n        expr: '{query}'\n" for number, query in enumerate(queries()))
    asked.write_text(f"groups:\n  - name: queries\n    rules:\n{rules}", encoding="utf-8")
    try:
        assert refused("config", config) == ""
        assert refused("rules", alerts) == ""
        assert refused("rules", asked) == ""
        asked.write_text(asked.read_text(encoding="utf-8").replace("rate(", "rat(", 1), encoding="utf-8")
        assert refused("rules", asked) != "", "it looks"
    except NoPromtool as error:
        not_run("the page on metrics against promtool", str(error))


def refused(what: str, file: Path) -> str:
    """What is wrong with it."""
    return check(what, file)
