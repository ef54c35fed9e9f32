"""Both backends read the same answers; a GPU that makes no numbers of them, or others, fails."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edgekit.errors import InputError
from edgekit.gates import Gates, Thresholds
from edgekit.records.codec import plain
from edgekit.runtime.ask.gpu import Gpu
from edgekit.validation.checks import gpu
from edgekit.validation.checks.gpu import Row, compare, judge, numbers
from edgekit.validation.validate import validate

GATES = Gates(Thresholds(), Thresholds())
ADRENO = Gpu("Adreno (TM) 740", "Vulkan", software=False)
SWIFTSHADER = Gpu("SwiftShader Device", "Vulkan", software=True)


def row(*pairs: tuple[float, float], same: bool = True) -> Row:
    return Row("wifi off", "{}", tuple(c for c, _ in pairs), numbers(tuple(g for _, g in pairs)), same)


def test_what_the_processor_makes_of_answers_passes() -> None:
    section = compare(ADRENO, (row((-0.1, -0.12), (-2.0, -1.96)), row((-0.5, -0.5), same=False)))
    assert section.tokens == 3
    assert section.lost == pytest.approx((0.02 - 0.04) / 3)
    assert section.largest == pytest.approx(0.04)
    check = judge(section, GATES)
    assert check.status == "passed"
    assert check.summary == (
        "Adreno (TM) 740: -0.0067 nats lost per token of 3; 1 of 2 answers are the processor's"
    )


def test_a_software_device_is_called_one() -> None:
    check = judge(compare(SWIFTSHADER, (row((-0.1, -0.1)),)), GATES)
    assert check.summary.startswith("SwiftShader Device (software): ")


@pytest.mark.parametrize("broken", [math.nan, -math.inf])
def test_no_number_fails(broken: float) -> None:
    section = compare(ADRENO, (row((-0.1, -0.1)), row((-0.1, broken))))
    assert json.loads(json.dumps(plain(section), allow_nan=False))["rows"][1]["gpu"] == [None]
    check = judge(section, GATES)
    _, table = gpu.page(section, check)
    assert [cells[3] for cells in table.rows] == ["no number", "-0.100"]
    assert check.status == "failed"
    assert "makes no number of 1 answer of 2" in check.summary
    assert "half precision" in check.summary
    assert "--form dynamic" in (check.remedy or "")


def test_answers_that_become_less_likely_fail() -> None:
    check = judge(compare(None, (row((-0.1, -0.1 - 2 * gpu.MOST_LOST)),)), GATES)
    assert check.status == "failed"
    assert check.summary.startswith("the GPU: +0.1000 nats lost")
    assert "--form dynamic" in (check.remedy or "")


def test_the_page_shows_the_furthest_apart_first() -> None:
    section = compare(SWIFTSHADER, (row((-0.1, -0.1)), row((-0.1, -0.5), same=False)))
    note, table = gpu.page(section, judge(section, GATES))
    assert "not how fast" in note.text
    assert [cells[3] for cells in table.rows] == ["-0.500", "-0.100"]


def test_the_dynamic_form_is_not_even_tried(int8_bundle: Path) -> None:
    with pytest.raises(InputError, match="dynamic form") as refused:
        validate(int8_bundle, backend="gpu")
    assert "--form static" in (refused.value.remedy or "")
