"""The page of metrics of a service in the test's process, and what its text says."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sternpost.app.ops.fleet import Alone
from sternpost.app.ops.metrics import MetricPages
from sternpost.app.ops.pages import OpsAnswer, OpsRequest
from sternpost.app.ops.process import OpsProcess
from sternpost.testing import Client

OPS_TOKEN = "ops-port-8c1f0e7d2b6a4953c1e0d7f2a1b3"


class Page:
    """A service, and its page of metrics."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._pages = MetricPages(Alone(OpsProcess(client.app).answer))

    async def answer(self, accept: bytes = b"") -> OpsAnswer:
        return await self._pages.pages()["/metrics"]["GET"](OpsRequest("127.0.0.1", "metrics", None, accept))

    async def text(self, accept: bytes = b"") -> str:
        content = (await self.answer(accept)).content
        assert content is not None
        return content[1].decode()

    async def samples(self) -> dict[tuple[str, ...], float]:
        """By name and values of labels, in the order of their names."""
        return samples(await self.text())


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
