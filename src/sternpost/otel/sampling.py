"""Of which calls there are spans: the samplers of the OpenTelemetry specification, decided in well under a
microsecond, where the SDK's own take several: it makes a context and a result for each.

Source: OpenTelemetry Specification, "Tracing SDK", Sampling. The ratio is decided as the SDK decides it, so that all
services of a trace come to the same.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from sternpost.telemetry.observation import Observation
from sternpost.telemetry.otlp import Otlp

Decide = Callable[[Observation], bool]


def decided_by(otlp: Otlp) -> Decide:
    """What decides whether there is to be a span of a call."""
    bound = TraceIdRatioBased(otlp.ratio).bound

    def by_ratio(observation: Observation) -> bool:
        return int(observation.trace_id[16:], 16) < bound

    def always(observation: Observation) -> bool:
        return True

    def never(observation: Observation) -> bool:
        return False

    root = by_ratio if otlp.sampler.endswith("ratio") else always if otlp.sampler.endswith("on") else never
    if not otlp.sampler.startswith("parentbased"):
        return root

    def by_parent(observation: Observation) -> bool:
        parent = observation.parent_sampled
        return root(observation) if parent is None else parent

    return by_parent
