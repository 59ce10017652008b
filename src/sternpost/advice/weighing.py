"""Weighs the factors of a described service by a table."""

from __future__ import annotations

from collections.abc import Mapping

from sternpost.advice.model import Advice, Choice, Reason, Standing, Table, Verdict

NO_FACTOR = "Nothing is recommended: no factor that was described is the case."
CONTRADICTION = (
    "Nothing is recommended: against each choice speaks as much as for it, or more. "
    "Leave out the factors that matter less."
)


def weigh(table: Table, factors: Mapping[str, bool]) -> Advice:
    """Adds up what the factors that are the case say of each choice.

    A factor that is not the case counts nothing, as the tables say nothing of that; neither does one that is left out,
    which the advice names.

    Raises:
        ValueError: the table has no factor of that name.
    """
    known = [factor.name for factor in table.factors]
    for name in factors:
        if name not in known:
            raise ValueError(f"there is no factor {name!r}; the factors are {', '.join(known)}")
    reasons = {choice.name: _reasons(table, choice, factors) for choice in table.choices}
    points = {name: sum(reason.says.fit for reason in said) for name, said in reasons.items()}
    decided = any(reasons.values())
    best = max(points.values())
    first = [choice for choice in table.choices if decided and points[choice.name] == best]
    ranked = sorted(table.choices, key=lambda choice: -points[choice.name])  # equals keep the table's order
    return Advice(
        topic=table.topic,
        verdicts=tuple(
            Verdict(
                choice,
                _standing(points[choice.name], best, is_told=bool(reasons[choice.name])),
                points[choice.name],
                reasons[choice.name],
            )
            for choice in ranked
        ),
        described=tuple((name, factors[name]) for name in known if name in factors),
        not_described=tuple(name for name in known if name not in factors),
        tied=tuple(choice.name for choice in first) if len(first) > 1 else (),
        remark=_remark(table, first, best),
    )


def _reasons(table: Table, choice: Choice, factors: Mapping[str, bool]) -> tuple[Reason, ...]:
    return tuple(
        Reason(factor.name, says)
        for factor in table.factors
        if factors.get(factor.name)
        for says in factor.says
        if says.choice == choice.name
    )


def _standing(points: int, best: int, *, is_told: bool) -> Standing:
    if not is_told:
        return "undecided"
    if points < 0:
        return "discouraged"
    return "recommended" if points == best and points > 0 else "possible"


def _remark(table: Table, first: list[Choice], best: int) -> str:
    if not first:
        return NO_FACTOR
    if best <= 0:
        return CONTRADICTION
    if len(first) == 1:
        return ""
    *others, last = (choice.title for choice in first)
    return f"{', '.join(others)} and {last} tie. {table.of_ties}"
