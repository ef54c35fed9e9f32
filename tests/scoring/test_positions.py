"""Metrics against hand-computed cases and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from edgekit.scoring.answers import (
    ends_in_loop,
    exact_match,
    field_counts,
    first_difference,
    macro_f1,
    parse_object,
    precision_recall_f1,
)
from edgekit.scoring.noise import cosine, sqnr_db
from edgekit.scoring.positions import PositionScores, log_softmax, logit_figures, score_positions, top
from edgekit.stats import (
    bootstrap_interval,
    mcnemar,
    mean_interval,
    quantile_interval,
    rms_interval,
    share_interval,
)


def random_logits(seed: int, positions: int = 40, vocabulary: int = 300) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((positions, vocabulary)) * 3).astype(np.float32)


# --- positions ---------------------------------------------------------------------------------------------------


def test_divergence_and_log_probabilities_are_scipy_s() -> None:
    first, second = random_logits(1), random_logits(2)
    targets = np.random.default_rng(3).integers(0, 300, 40).tolist()
    scores = score_positions(first, second, targets)
    p, q = special.softmax(first.astype(float), axis=1), special.softmax(second.astype(float), axis=1)
    np.testing.assert_allclose(scores.kl, stats.entropy(p, q, axis=1), atol=1e-6)
    np.testing.assert_allclose(scores.reference_logprob, np.log(p[np.arange(40), targets]), atol=1e-6)
    np.testing.assert_allclose(
        log_softmax(first), special.log_softmax(first.astype(float), axis=1), rtol=1e-9
    )
    assert np.array_equal(scores.top1, first.argmax(1) == second.argmax(1))


def test_two_tokens_by_hand() -> None:
    """p = (3/4, 1/4), q = (1/2, 1/2): KL = 3/4 ln 3/2 + 1/4 ln 1/2; the first token came."""
    logits = np.log(np.array([[0.75, 0.25]], np.float32))
    other = np.log(np.array([[0.5, 0.5]], np.float32))
    scores = score_positions(logits, other, [0])
    assert scores.kl[0] == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-6)
    figures = logit_figures(scores)
    assert figures.perplexity_reference.value == pytest.approx(4 / 3, rel=1e-6)
    assert figures.perplexity_bundle.value == pytest.approx(2, rel=1e-6)
    assert figures.perplexity_ratio.value == pytest.approx(1.5, rel=1e-6)
    assert figures.delta_p_max == pytest.approx(0.25, rel=1e-6)
    assert figures.delta_p_rms.value == pytest.approx(0.25, rel=1e-6)
    assert figures.delta_p_mean.value == pytest.approx(-0.25, rel=1e-6)
    assert figures.top1.value == 1


def test_equal_logits_differ_by_exactly_nothing() -> None:
    logits = random_logits(4)
    figures = logit_figures(score_positions(logits, logits, [7] * 40))
    assert figures.kl_mean.value == figures.kl_median.value == figures.kl_p99.value == figures.kl_max == 0
    assert figures.top1.value == figures.top5.value == figures.perplexity_ratio.value == 1
    assert figures.delta_p_max == figures.delta_p_rms.value == 0


def test_top_five_counts_what_both_have() -> None:
    first = np.array([[9, 8, 7, 6, 5, 0, 0, 0]], np.float32)
    second = np.array([[9, 8, 7, 0, 0, 6, 5, 0]], np.float32)
    assert score_positions(first, second, [0]).top5[0] == pytest.approx(3 / 5)


def test_the_highest_of_a_large_vocabulary_are_found_in_blocks() -> None:
    logits = random_logits(7, 1, 262_144)[0]
    assert set(top(logits, 5)) == set(np.argsort(-logits)[:5])
    flat = np.zeros(5000, np.float32)
    flat[[4999, 17]] = 1
    assert {17, 4999} < set(top(flat, 5).tolist())
    assert len(top(flat, 5)) == 5


def test_logits_that_are_not_numbers_are_far_off_and_not_equal() -> None:
    bad = random_logits(5, 1)
    bad[:] = np.nan
    assert not score_positions(random_logits(5, 1), bad, [0]).kl[0] < 1


# --- intervals ---------------------------------------------------------------------------------------------------


def test_intervals_are_scipy_s() -> None:
    values = np.random.default_rng(8).exponential(size=200)
    found = mean_interval(values)
    low, high = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    expected = stats.binomtest(37, 40).proportion_ci(method="wilson")
    assert share_interval(37, 40).low == pytest.approx(expected.low)
    assert share_interval(37, 40).high == pytest.approx(expected.high)
    assert share_interval(40, 40).high == 1
    assert rms_interval(values).value == pytest.approx(math.sqrt(np.mean(values**2)))
    expected = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    assert quantile_interval(values, 0.5).low == pytest.approx(expected.low, rel=0.05)
    assert quantile_interval(values, 0.5).high == pytest.approx(expected.high, rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(9)
    hits = 0
    for _ in range(400):
        found = quantile_interval(generator.standard_normal(60), 0.5)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0 <= found.high
    assert hits / 400 > 0.93


def test_the_bootstrap_of_a_mean_is_near_its_normal_interval() -> None:
    values = np.random.default_rng(10).standard_normal(100)
    found, expected = bootstrap_interval(lambda rows: float(values[rows].mean()), 100), mean_interval(values)
    assert found.value == expected.value
    assert found.low == pytest.approx(expected.low, abs=0.05)
    assert found == bootstrap_interval(lambda rows: float(values[rows].mean()), 100), "seeded"


def test_mcnemar_looks_at_the_rows_that_changed() -> None:
    reference = [True] * 10 + [False] * 2 + [True] * 20
    bundle = [False] * 10 + [True] * 2 + [True] * 20
    assert mcnemar(reference, bundle) == pytest.approx(stats.binomtest(2, 12).pvalue)
    assert mcnemar([True, False], [True, False]) == 1


# --- answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "position"),
    [("abc", "abc", None), ("abc", "abd", 2), ("ab", "abc", 2), ("", "a", 0), ("", "", None)],
)
def test_first_difference(first: str, second: str, position: int | None) -> None:
    assert first_difference(first, second) == position


@pytest.mark.parametrize(
    ("tokens", "loops"),
    [
        ([1, 2, 3], False),
        ([1, *[7] * 12], True),
        ([1, *[7] * 11], False),
        ([5, *[1, 2, 3] * 4], True),
        ([5, *[1, 2, 3] * 4, 1, 2], True),  # cut off in the middle of a repetition
        ([5, *[1, 2, 3] * 3], False),
        ([*[1, 2, 3] * 10, 9], False),  # it got out of it
        (list(range(40)), False),
        (list(range(30)) * 4, True),
        ([1, 2] * 5, False),  # ten tokens: too short to tell
        ([], False),
    ],
)
def test_a_loop_is_an_n_gram_repeated_at_the_tail(tokens: list[int], loops: bool) -> None:
    assert ends_in_loop(tokens) is loops


# --- tasks -------------------------------------------------------------------------------------------------------


def test_macro_f1_by_hand() -> None:
    """Three labels; expected 0 0 1 1 2, answered 0 1 1 1 none: F1 = 2/3, 4/5, 0."""
    codes = np.array([(0, 0), (1, 0), (1, 1), (1, 1), (-1, 2)], float)
    assert macro_f1(codes) == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


def test_json_fields_by_hand() -> None:
    expected = '{"a": 1, "b": {"c": "x"}, "d": [1, 2]}'
    assert field_counts(expected, expected) == (4, 4, 4)
    assert field_counts('{"a": 1, "b": {"c": "y"}, "d": [2], "e": null}', expected) == (2, 4, 4)
    assert field_counts("no JSON", expected) == (0, 0, 4)
    assert precision_recall_f1(np.array([(2, 4, 4), (0, 0, 4)], float)) == pytest.approx((0.5, 0.25, 1 / 3))


def test_only_an_object_and_nothing_around_it_is_json() -> None:
    assert parse_object('{"a": 1}') == {"a": 1}
    assert parse_object('Sure! {"a": 1}') is None
    assert parse_object("[1]") is None
    assert exact_match(" a\n", "a")
    assert not exact_match("a b", "ab")


# --- weights -----------------------------------------------------------------------------------------------------


def test_sqnr_and_cosine_by_hand() -> None:
    values = np.array([[3.0, 4.0]], np.float32)
    assert sqnr_db(values, values) == math.inf
    assert cosine(values, values) == 1
    assert sqnr_db(values, values * 2) == pytest.approx(0)
    assert cosine(values, values * 2) == pytest.approx(1)
    assert sqnr_db(values, np.array([[3.0, 4.5]], np.float32)) == pytest.approx(20)
    assert cosine(values, np.array([[4.0, -3.0]], np.float32)) == pytest.approx(0)
    assert cosine(values, values * 0) == 0


def test_some_positions_can_be_looked_at_alone() -> None:
    scores = score_positions(random_logits(1), random_logits(2), [0] * 40)
    chosen = np.arange(40) < 10
    part = scores.where(chosen)
    assert isinstance(part, PositionScores)
    assert logit_figures(part).kl_mean.value == pytest.approx(scores.kl[:10].mean())
