"""Each sampler decides as the SDK's own of the same name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from sternpost.otel.sampling import decided_by
from sternpost.telemetry.observation import Observation, Unobserved
from sternpost.telemetry.otlp import Otlp, SamplerName

NAMES: list[SamplerName] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


def sdk(name: SamplerName, ratio: float) -> sampling.Sampler:
    ours = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(ratio),
        "parentbased_always_on": sampling.DEFAULT_ON,
        "parentbased_always_off": sampling.DEFAULT_OFF,
        "parentbased_traceidratio": sampling.ParentBasedTraceIdRatio(ratio),
    }
    return ours[name]


@pytest.mark.parametrize("name", NAMES)
@given(
    trace=st.integers(1, 2**128 - 1),
    parent=st.sampled_from([None, True, False]),
    ratio=st.sampled_from([0.0, 0.1, 0.5, 0.999, 1.0]),
)
def test_as_the_sdk(name: SamplerName, trace: int, parent: bool | None, ratio: float) -> None:
    observation = Observation(Unobserved(), "req_1", f"{trace:032x}", "00f067aa0ba902b7", None, 0.0)
    observation.parent_sampled = parent
    context = None
    if parent is not None:
        span = SpanContext(trace, 7, is_remote=True, trace_flags=TraceFlags(int(parent)))
        context = set_span_in_context(NonRecordingSpan(span))
    expected = sdk(name, ratio).should_sample(context, trace, "GET").decision.is_sampled()
    assert decided_by(Otlp({}, name, ratio))(observation) is expected
