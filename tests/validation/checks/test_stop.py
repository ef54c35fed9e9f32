"""Where answers end: every stop id of the reference, and answers that end by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgekit
from edgekit.bundle.container import SectionKind
from edgekit.gates import Gates, Thresholds
from edgekit.validation.checks import stop
from tests.validation.planted import metadata, planted
from tests.validation.reading import failures


@pytest.mark.slow
def test_a_missing_stop_token_is_caught_by_stop(
    int8_bundle: Path, demo_path: Path, few_rows: Path, tmp_path: Path
) -> None:
    def drop(message: object) -> None:
        del message.stop_tokens[0]  # type: ignore[attr-defined]

    bundle = planted(int8_bundle, tmp_path / "b", SectionKind.LLM_METADATA, metadata(drop))
    report = edgekit.validate(bundle, demo_path, data=few_rows, max_tokens=48, report=False)
    assert "stop" in failures(report)
    assert failures(report) <= {"stop", "generation", "task"}, "answers that run on are wrong, too"
    assert "<end_of_turn>" in report.check("stop").summary


@pytest.mark.parametrize(
    ("section", "status", "said"),
    [
        (stop.Section((stop.StopId(1, "", True),), 4, 3, 4, 8, (1, 6)), "passed", "stops at [1, 6]"),
        (stop.Section((stop.StopId(1, "<eos>", False),), 4, 4, 4, 8, (6,)), "failed", "not stop at 1 <eos>"),
        (stop.Section((), 4, 4, None, 8), "failed", "lists no stop token"),
        (stop.Section((stop.StopId(1, "", True),), 4, 0, 2, 8, (1,)), "failed", "0 of 4 answers ended"),
        (stop.Section((stop.StopId(1, "", True),), 4, 0, 0, 8, (1,)), "passed", "(0 of the reference's)"),
    ],
    ids=["right", "an id is missing", "none is listed", "never ends", "neither ends"],
)
def test_a_model_that_never_ends_may_have_learned_so(section: stop.Section, status: str, said: str) -> None:
    check = stop.judge(section, Gates(Thresholds(), Thresholds()))
    assert check.status == status
    assert said in check.summary
