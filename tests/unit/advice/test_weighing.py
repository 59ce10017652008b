"""Advice adds up what is described, and nothing else: it does not depend on an order, and no reason counts backwards."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.advice.api_style import api_style_advice
from sternpost.advice.caching import caching_advice
from sternpost.advice.messages import message_advice
from sternpost.advice.model import Advice, Choice, Factor, Fit, Says, Table
from sternpost.advice.rate_limits import rate_limit_advice
from sternpost.advice.topics import TABLES, Topic, advise
from sternpost.advice.weighing import CONTRADICTION, NO_FACTOR, weigh

Described = tuple[Topic, dict[str, bool]]


@st.composite
def described(draw: st.DrawFn) -> Described:
    """A topic, and what is known of its factors."""
    topic: Topic = draw(st.sampled_from(list(TABLES)))
    values = {factor.name: st.sampled_from([None, True, False]) for factor in TABLES[topic].factors}
    found = draw(st.fixed_dictionaries(values))
    return topic, {name: value for name, value in found.items() if value is not None}


def standings(advice: Advice) -> dict[str, str]:
    return {verdict.choice.name: verdict.standing for verdict in advice.verdicts}


def places(advice: Advice) -> dict[str, int]:
    """How many choices are told before each."""
    return {verdict.choice.name: place for place, verdict in enumerate(advice.verdicts)}


def ahead(advice: Advice) -> dict[str, int]:
    """How many choices have more points than each."""
    points = {verdict.choice.name: verdict.points for verdict in advice.verdicts}
    return {name: sum(other > own for other in points.values()) for name, own in points.items()}


@given(described(), st.randoms(use_true_random=False))
def test_the_order_of_factors_does_not_matter(one: Described, order: random.Random) -> None:
    topic, factors = one
    shuffled = list(factors.items())
    order.shuffle(shuffled)
    assert advise(topic, dict(shuffled)) == advise(topic, factors)


@given(described())
def test_a_factor_that_favours_a_choice_never_lowers_it(one: Described) -> None:
    topic, factors = one
    for factor in TABLES[topic].factors:
        without = advise(topic, {**factors, factor.name: False})
        having = advise(topic, {**factors, factor.name: True})
        for name in factor.favours:
            assert places(having)[name] <= places(without)[name], (factor.name, name)
            assert ahead(having)[name] <= ahead(without)[name], (factor.name, name)
            if standings(without)[name] == "recommended":
                assert standings(having)[name] == "recommended"


@given(described())
def test_what_is_not_the_case_counts_as_little_as_what_is_not_described(one: Described) -> None:
    topic, factors = one
    held = {name: True for name, holds in factors.items() if holds}
    assert advise(topic, held).verdicts == advise(topic, factors).verdicts


@given(described())
def test_advice_tells_what_it_is_made_of(one: Described) -> None:
    topic, factors = one
    advice = advise(topic, factors)
    assert dict(advice.described) == factors
    assert {*advice.not_described} == {factor.name for factor in TABLES[topic].factors} - factors.keys()
    points = [verdict.points for verdict in advice.verdicts]
    assert points == sorted(points, reverse=True)
    for verdict in advice.verdicts:
        assert verdict.points == sum(reason.says.fit for reason in verdict.reasons)
        assert all(factors[reason.factor] for reason in verdict.reasons)
        assert (verdict.standing == "undecided") == (verdict.reasons == ())
    recommended = [choice.name for choice in advice.recommended]
    assert [*standings(advice)][: len(recommended)] == recommended, "they are told first"
    assert bool(recommended) == any(factors.values()), "these tables always have something to recommend"
    assert list(advice.tied) == (recommended if len(recommended) > 1 else [])
    assert bool(advice.remark) == (len(recommended) != 1)


def test_the_styles() -> None:
    strangers = api_style_advice({"public-api": True, "simple-crud": True, "subscriptions": False})
    assert standings(strangers) == {"rest": "recommended", "graphql": "possible", "grpc": "discouraged"}
    assert [verdict.points for verdict in strangers.verdicts] == [4, 0, -3]
    assert strangers.not_described == ("different-data-needs", "service-to-service", "low-bandwidth")
    phones = api_style_advice({"different-data-needs": True, "low-bandwidth": True})
    assert standings(phones) == {"graphql": "recommended", "grpc": "possible", "rest": "discouraged"}
    assert [choice.name for choice in api_style_advice({"service-to-service": True}).recommended] == ["grpc"]


def test_the_other_topics() -> None:
    strict = caching_advice({"strong-consistency": True, "high-write-throughput": True})
    assert [choice.name for choice in strict.recommended] == ["write-through"], "consistency before speed"
    assert [choice.name for choice in rate_limit_advice({"public-api": True}).recommended] == ["sliding-window"]
    assert [choice.name for choice in message_advice({"needs-response": True}).recommended] == ["request-reply"]


def test_a_tie_is_told() -> None:
    advice = api_style_advice({"subscriptions": True})
    assert advice.tied == ("graphql", "grpc")
    assert advice.remark == "GraphQL and gRPC tie. What was described does not decide between them."
    assert standings(advice) == {"graphql": "recommended", "grpc": "recommended", "rest": "discouraged"}
    patterns = message_advice({"many-consumers": True, "needs-response": True, "keep-failed": True})
    assert patterns.remark.startswith("publish/subscribe, request/reply and dead letter tie. They do not exclude each")


@pytest.mark.parametrize("factors", [{}, {"public-api": False}])
def test_without_a_factor_that_is_the_case_nothing_is_recommended(factors: dict[str, bool]) -> None:
    advice = api_style_advice(factors)
    assert (advice.recommended, advice.tied, advice.remark) == ((), (), NO_FACTOR)
    assert {*standings(advice).values()} == {"undecided"}


def test_factors_that_contradict_each_other_recommend_nothing() -> None:
    table = Table(
        "both",
        (Choice("a", "A"), Choice("b", "B"), Choice("c", "C")),
        (
            Factor("x", "X", "X?", (Says("a", Fit.STRONG, "", ""), Says("b", Fit.POOR, "", ""))),
            Factor("y", "Y", "Y?", (Says("a", Fit.POOR, "", ""), Says("b", Fit.STRONG, "", ""))),
        ),
        "",
    )
    advice = weigh(table, {"x": True, "y": True})
    assert (advice.recommended, advice.remark) == ((), CONTRADICTION)
    assert standings(advice) == {"a": "possible", "b": "possible", "c": "undecided"}
    assert advice.tied == ("a", "b", "c")


@pytest.mark.parametrize("topic", TABLES)
def test_an_unknown_factor_is_refused(topic: Topic) -> None:
    with pytest.raises(ValueError, match=r"no factor 'cheap'; the factors are [\w, -]+$"):
        advise(topic, {"cheap": True})


def test_data_for_programs() -> None:
    data = api_style_advice({"subscriptions": True, "public-api": False}).as_data()
    assert data["recommended"] == data["tied"] == ["graphql", "grpc"]
    assert data["factors"] == {"subscriptions": True, "public-api": False}
    assert data["notDescribed"] == ["different-data-needs", "simple-crud", "service-to-service", "low-bandwidth"]
    first = data["choices"][0]
    assert (first["choice"], first["verdict"], first["points"], first["planned"]) == ("graphql", "recommended", 2, True)
    assert first["reasons"] == [
        {
            "factor": "subscriptions",
            "points": 2,
            "says": "built in",
            "because": "Subscriptions are a part of the language.",
        }
    ]
