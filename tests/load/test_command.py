"""`sternpost load`, against services that are really started."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.gates.project import CONTRACT, SERVICES, change, passing, sternpost

SHOP = Path(__file__).parents[2] / "examples" / "shop"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("load") / "shop"
    return Path(shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("__pycache__", ".*")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return passing(tmp_path)


def load(folder: Path, *options: str) -> dict[str, Any]:
    done = sternpost(folder, "load", "run", "--json", *options)
    assert done.stdout, done.stderr
    data = json.loads(done.stdout)
    assert (done.returncode == 0) == (not data["missed"] and not data["lagged"])
    return data


@pytest.mark.slow
def test_a_path_through_several_states_is_measured(shop: Path) -> None:
    """An order has to be placed before it is paid, which needs items in stock."""
    data = load(shop, "--kind", "smoke", "--seconds", "2", "--rate", "100")
    ((place, pay),) = (phase["measured"] for phase in data["phases"])
    assert (place["operation"], pay["operation"]) == ("orders.place", "orders.pay")
    for each in (place, pay):
        assert each["calls"] > 0
        assert set(each["statuses"]) == {"200"}
    assert set(data["fingerprint"]) == {"contract", "code", "configuration"}


@pytest.mark.slow
def test_the_last_load_is_shown_and_compared(shop: Path, tmp_path: Path) -> None:
    options = ("load", "run", "--kind", "smoke", "--seconds", "1", "--rate", "50", "--operation", "products.read")
    sternpost(shop, *options)
    again = sternpost(shop, *options)
    (row,) = [line for line in again.stdout.splitlines() if "products.read" in line]
    assert len(row.split()) >= 10, "the earlier p95 is a column"
    page = tmp_path / "load.html"
    shown = sternpost(shop, "load", "report", "--html", str(page))
    assert "products.read" in shown.stdout
    assert "<svg" in page.read_text("utf-8")
    evidence = shop / ".sternpost/evidence/load.json"
    evidence.write_text(evidence.read_text("utf-8").replace('"kind": "smoke"', '"kind": "soak"'), "utf-8")
    broken = sternpost(shop, "load", "report")
    assert broken.returncode == 2
    assert "it was changed after it had been written" in broken.stderr


@pytest.mark.slow
def test_a_slow_operation_misses_its_objective(project: Path) -> None:
    change(project, SERVICES, "    if not task.result:", "    await asyncio.sleep(0.3)\n    if not task.result:")
    change(project, SERVICES, "from sternpost import", "import asyncio\n\nfrom sternpost import")
    change(project, CONTRACT, 'target="done",', 'target="done",\n        objective=Objective(p95_ms=100, rate=10),')
    change(project, CONTRACT, "    Read,\n", "    Objective,\n    Read,\n")
    change(
        project,
        CONTRACT,
        "result: str | None = field(default=None,",
        'result: str | None = field(example="Pages", default=None,',
    )
    data = load(project, "--seconds", "2", "--operation", "tasks.finish")
    (missed, *_) = data["phases"][0]["measured"][0]["missed"]
    assert missed.startswith("p95 is "), data
    assert missed.endswith(" ms, not 100")


@pytest.mark.slow
def test_what_cannot_be_measured_is_told(project: Path) -> None:
    done = sternpost(project, "load", "run", "--kind", "smoke", "--operation", "tasks.nothing")
    assert (done.returncode, "There is no operation tasks.nothing" in done.stderr) == (2, True)
    refused = load(project, "--kind", "smoke", "--seconds", "1", "--rate", "100", "--operation", "tasks.finish")
    assert "100% of the calls are refused" in refused["phases"][0]["measured"][0]["missed"][0]
    none = sternpost(project, "load", "report")
    assert none.returncode == 1
    change(project, CONTRACT, "title: str = field(min_length=1", "title: str = field(min_length=-1")
    stopped = sternpost(project, "load", "run", "--operation", "tasks.read")
    assert (stopped.returncode, "The contract has mistakes" in stopped.stderr) == (2, True)
