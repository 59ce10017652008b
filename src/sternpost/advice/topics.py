"""All tables, by topic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sternpost.advice.api_style import API_STYLE
from sternpost.advice.caching import CACHING
from sternpost.advice.messages import MESSAGES
from sternpost.advice.model import Advice, Table
from sternpost.advice.rate_limits import RATE_LIMITS
from sternpost.advice.weighing import weigh

Topic = Literal["api", "caching", "limits", "messages"]

TABLES: Mapping[Topic, Table] = {"api": API_STYLE, "caching": CACHING, "limits": RATE_LIMITS, "messages": MESSAGES}


def advise(topic: Topic, factors: Mapping[str, bool]) -> Advice:
    """What the table of a topic says of a service with these factors.

    Args:
        factors: by their names, whether each is the case; one that is not known is left out.

    Raises:
        ValueError: the table has no factor of that name.
    """
    return weigh(TABLES[topic], factors)
