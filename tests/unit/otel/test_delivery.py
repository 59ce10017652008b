"""What becomes of what is sent is told when it changes, and no more often."""

from __future__ import annotations

from sternpost.otel.delivery import EXPORTERS, Delivery, Said, lost_by
from sternpost.telemetry.events import Event, OtlpFails, OtlpLost, OtlpOverruns, OtlpSucceeds

AT = "http://127.0.0.1:4318/v1/traces"


class Told:
    """Lines, and a clock that is set."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = 0.0
        self.said = Said()
        self.delivery = Delivery("traces", AT, self.events.append, self.said, lambda: self.now)


def test_a_failure_is_told_once_with_its_reason_and_its_end_once() -> None:
    told = Told()
    told.said.listen()
    try:
        EXPORTERS.getChild("otlp").warning("it is away")
        EXPORTERS.getChild("otlp").warning("nothing is tried again")
        EXPORTERS.getChild("otlp").error("all was in vain:")
        for _ in range(3):
            told.delivery.note(5, succeeded=False)
        told.delivery.note(5, succeeded=True)
        told.delivery.note(5, succeeded=True)
    finally:
        told.said.leave()
    assert told.events == [
        OtlpFails(signal="traces", endpoint=AT, reason="all was in vain: it is away"),
        OtlpSucceeds(signal="traces", lost=15),
    ]
    counts = {"traces": {"lost": 15, "dropped": 2}}
    assert lost_by([(told.delivery, 2)]) == OtlpLost(lost=15, dropped=2, signals=counts, endpoint=None, reason=None)


def test_at_the_end_one_line_tells_of_all_signals() -> None:
    told, others = Told(), Told()
    others.delivery.signal = "logs"
    told.said.listen()
    try:
        for number, each in enumerate((told, others), start=1):
            each.delivery.ending = True
            EXPORTERS.getChild("otlp").error(f"it is away {number}")
            each.delivery.note(number, succeeded=False, dropped=3)
            each.delivery.note(number, succeeded=False)
    finally:
        told.said.leave()
    assert told.events + others.events == []
    counts = {"traces": {"lost": 2, "dropped": 3}, "logs": {"lost": 4, "dropped": 0}}
    assert lost_by([(told.delivery, 3), (others.delivery, 0)]) == OtlpLost(
        lost=6, dropped=3, signals=counts, endpoint=AT, reason="it is away 1"
    )


def test_what_two_signals_have_in_common_is_the_reason_of_each() -> None:
    """The exporters for gRPC share a logger, which leaves out what it has said within some seconds."""
    exporter = EXPORTERS.getChild("otlp.test")
    heard: list[str] = []
    seen = heard.append
    exporter.addFilter(lambda record: record.msg not in heard and seen(record.msg) is None)
    told = Told()
    told.said.listen()
    try:
        for _ in range(2):
            exporter.warning("it is away")
            assert told.said.taken() == "it is away"
    finally:
        told.said.leave()
    assert heard == []
    assert len(exporter.filters) == 1
    exporter.filters.clear()


def test_records_that_make_room_are_told_once_a_minute() -> None:
    told = Told()
    for told.now, dropped in ((0, 0), (1, 3), (2, 9), (59, 20), (61.5, 20), (62, 21)):
        told.delivery.note(1, succeeded=True, dropped=dropped)
    assert told.events == [
        OtlpOverruns(signal="traces", dropped=3),
        OtlpOverruns(signal="traces", dropped=21),
    ]


def test_nothing_is_told_where_nothing_is_lost() -> None:
    told = Told()
    told.delivery.note(5, succeeded=True)
    assert lost_by([(told.delivery, 0)]) is None
    assert told.events == []
