"""Which algorithm of rate limits fits: fixed window, sliding window, token bucket or leaky bucket."""

from __future__ import annotations

from collections.abc import Mapping

from sternpost.advice.model import Advice, Choice, Factor, Fit, Says, Stub, Table
from sternpost.advice.weighing import weigh

_NUMBERS = "The numbers are examples: put in what the service can take."


def _algorithm(name: str, known_for: str, more: str = "") -> Choice:
    function = name.replace("-", "_")
    stub = Stub(
        imports=f"from sternpost import {function}",
        code=f'limit={function}(100, per="minute", by="principal"{more})',
        argument=True,
    )
    return Choice(name, name.replace("-", " "), known_for, note=_NUMBERS, stub=stub)


RATE_LIMITS = Table(
    topic="limits",
    choices=(
        _algorithm("fixed-window", "simple, low memory; bursts at boundaries; internal APIs"),
        _algorithm("sliding-window", "smooth; more memory; public APIs"),
        _algorithm("token-bucket", "controlled bursts; the industry standard", ", burst=20"),
        _algorithm("leaky-bucket", "constant output, no burst; strict control", ", depth=10"),
    ),
    factors=(
        Factor(
            "internal-api",
            "Internal APIs",
            "Is it an internal API, whose callers are known?",
            (
                Says(
                    "fixed-window",
                    Fit.STRONG,
                    "internal APIs",
                    "Callers that are known do not time their calls to pass more.",
                ),
            ),
        ),
        Factor(
            "public-api",
            "Public APIs",
            "Do strangers call it, as a public API?",
            (
                Says(
                    "fixed-window",
                    Fit.WEAK,
                    "bursts at boundaries",
                    "Who times calls around the end of a window passes twice the quantity.",
                ),
                Says(
                    "sliding-window",
                    Fit.STRONG,
                    "public APIs",
                    "There is no boundary that calls could be timed around.",
                ),
            ),
        ),
        Factor(
            "low-memory",
            "Simple, low memory",
            "Should counting be simple, and take little memory?",
            (
                Says("fixed-window", Fit.STRONG, "simple, low memory", "It keeps one number for each caller."),
                Says("sliding-window", Fit.WEAK, "more memory", "It counts a period in ten parts for each caller."),
            ),
        ),
        Factor(
            "smooth",
            "Smooth",
            "Should a limit hold in any period, wherever it begins?",
            (
                Says(
                    "fixed-window",
                    Fit.POOR,
                    "bursts at boundaries",
                    "Around the end of a window twice the quantity passes in a short time.",
                ),
                Says(
                    "sliding-window", Fit.STRONG, "smooth", "In no period of that length more than the quantity passes."
                ),
            ),
        ),
        Factor(
            "controlled-bursts",
            "Controlled bursts",
            "May a caller do several things at once after a pause?",
            (
                Says(
                    "token-bucket",
                    Fit.STRONG,
                    "controlled bursts",
                    "After a pause so much passes at once as burst= says.",
                ),
                Says("leaky-bucket", Fit.POOR, "no burst", "What comes at once is refused, or waits."),
            ),
        ),
        Factor(
            "industry-standard",
            "The industry standard",
            "Should it be what most other APIs have?",
            (Says("token-bucket", Fit.STRONG, "the industry standard", "Clients and gateways know how it behaves."),),
        ),
        Factor(
            "constant-output",
            "Constant output, no burst",
            "Does something behind it take calls at a constant rate only?",
            (
                Says("fixed-window", Fit.POOR, "bursts at boundaries", "A whole quantity may pass at once."),
                Says("token-bucket", Fit.WEAK, "bursts pass", "What burst= allows passes at once."),
                Says(
                    "leaky-bucket",
                    Fit.STRONG,
                    "constant output, no burst",
                    "With queue=True each call waits for its turn.",
                ),
            ),
        ),
        Factor(
            "strict-control",
            "Strict control",
            "Must the rate never be exceeded, not even for a moment?",
            (
                Says(
                    "fixed-window", Fit.POOR, "bursts at boundaries", "The rate is exceeded around the end of a window."
                ),
                Says("leaky-bucket", Fit.STRONG, "strict control", "What does not fit into depth= is refused."),
            ),
        ),
    ),
    of_ties="What was described does not decide between them. An operation may have several limits.",
)


def rate_limit_advice(factors: Mapping[str, bool]) -> Advice:
    """Which algorithm fits these factors of `RATE_LIMITS`. Raises `ValueError` for an unknown one."""
    return weigh(RATE_LIMITS, factors)
