"""Which pattern of messages fits: publish/subscribe, work queue, request/reply or dead letter.

No factor speaks against a pattern: a service may need several of them, each for other messages.
"""

from __future__ import annotations

from collections.abc import Mapping

from sternpost.advice.model import Advice, Choice, Factor, Fit, Says, Table
from sternpost.advice.weighing import weigh

_TODAY = "A declaration for it is planned. Sternpost has no queues yet, so there is nothing to declare."

MESSAGES = Table(
    topic="messages",
    choices=(
        Choice(
            "publish-subscribe",
            "publish/subscribe",
            "one event to many consumers",
            planned="events",
            today="A declaration for consumers is planned. Operations record their events already, with emits=.",
        ),
        Choice("work-queue", "work queue", "tasks spread over workers", planned="events", today=_TODAY),
        Choice(
            "request-reply", "request/reply", "asynchronous request with a response", planned="events", today=_TODAY
        ),
        Choice(
            "dead-letter",
            "dead letter",
            "failed messages after the retry policy is used up; browse, replay, drop",
            planned="events",
            today=_TODAY,
        ),
    ),
    factors=(
        Factor(
            "many-consumers",
            "One event to many consumers",
            "Do several consumers react to one event (user registered: email, analytics, CRM)?",
            (
                Says(
                    "publish-subscribe",
                    Fit.STRONG,
                    "one event to many consumers",
                    "Each consumer gets every event, and who publishes knows none of them.",
                ),
            ),
        ),
        Factor(
            "spread-over-workers",
            "Tasks spread over workers",
            "Is there work to spread over workers (image processing, PDF generation)?",
            (
                Says(
                    "work-queue",
                    Fit.STRONG,
                    "tasks spread over workers",
                    "Each task goes to one worker, and more workers do more of them.",
                ),
            ),
        ),
        Factor(
            "needs-response",
            "Asynchronous request with a response",
            "Does who asks need a response, though not at once (price calculation)?",
            (
                Says(
                    "request-reply",
                    Fit.STRONG,
                    "asynchronous request with a response",
                    "The response carries the id of its request, and nobody holds a connection meanwhile.",
                ),
            ),
        ),
        Factor(
            "keep-failed",
            "Failed messages after the retry policy is used up",
            "Must messages be kept that failed after all retries, to browse, replay or drop them?",
            (
                Says(
                    "dead-letter",
                    Fit.STRONG,
                    "failed messages after the retry policy is used up; browse, replay, drop",
                    "A message that always fails stops nothing behind it, and is not lost.",
                ),
            ),
        ),
    ),
    of_ties="They do not exclude each other: use each for the messages that need it.",
)


def message_advice(factors: Mapping[str, bool]) -> Advice:
    """Which patterns fit these factors of `MESSAGES`. Raises `ValueError` for an unknown one."""
    return weigh(MESSAGES, factors)
