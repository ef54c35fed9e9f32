"""What two models expect next: which positions the gates look at, and what decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.gates import Gates, Thresholds
from edgekit.scoring.positions import LogitFigures, PositionScores, logit_figures
from edgekit.scoring.shared import RemovedMass
from edgekit.stats import Interval
from edgekit.validation.checks import logits
from edgekit.validation.verdict import Check


def figures(kl: float) -> LogitFigures:
    ones = np.ones(5)
    return logit_figures(PositionScores(-ones, -ones, kl * ones, ones, ones))


def section(kl: float) -> logits.Section:
    return logits.Section("scoring graph", 1, 50, 0, figures(kl), (), (), 1.0, 5.0)


def judge(found: logits.Section) -> Check:
    return logits.judge(found, Gates(Thresholds(max_kl=0.1, max_removed_mass=0.01), Thresholds()))


@pytest.mark.parametrize(("kl", "status"), [(0.01, "passed"), (0.5, "failed"), (float("nan"), "failed")])
def test_the_model_is_judged_where_it_speaks(kl: float, status: str) -> None:
    check = judge(section(kl))
    assert check.status == status
    assert "5 of 50 positions in answers" in check.summary


def test_texts_that_could_not_be_compared_are_no_pass() -> None:
    lost = RemovedMass(2048, 1100, 5, Interval(0.9), Interval(0.9), 0.9, 5)
    check = judge(replace(section(0.0), figures=None, removed=lost))
    assert check.status == "failed"
    assert "no position could be compared" in check.summary


def test_what_a_trimmed_vocabulary_cannot_say_has_a_gate_of_its_own() -> None:
    lost = RemovedMass(2048, 1100, 5, Interval(0.2), Interval(0.3), 0.4, 1)
    check = judge(replace(section(0.01), removed=lost))
    assert check.status == "failed"
    assert "of the reference's probability 0.2 is on removed tokens" in check.summary
    assert "--vocab-from" in (check.remedy or "")


def test_the_gate_is_drawn_where_it_does_not_press_the_curve_flat() -> None:
    entry = logits.PositionFigures(0, 1, 5, Interval(0.05, 0.04, 0.06), 0.1, Interval(1.0), 0.0)
    near = replace(section(0.05), by_position=(entry, replace(entry, start=1, end=2)))
    far = replace(near, by_position=(replace(entry, kl_mean=Interval(0.001)),))
    drawn = ["gate: 0.1" in repr(logits.page(found, judge(found))) for found in (near, far)]
    assert drawn == [True, False]
