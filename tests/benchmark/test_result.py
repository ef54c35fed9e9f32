"""The schema of a result, and what a result says went wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.benchmark.report import result_json
from edgekit.benchmark.result import BenchResult, Check, read_result
from edgekit.errors import InputError
from tests.benchmark.results import result


def test_a_result_survives_json_with_every_run() -> None:
    before = result(40.0, 50.0, 60.0)
    values = json.loads(json.dumps(result_json(before), allow_nan=False))
    assert values["schema_version"] == 1
    assert values["cases"][0]["summary"]["decode"]["median"] == 50.0
    assert len(values["cases"][0]["runs"]) == 4
    assert BenchResult.from_json(values) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.pop("schema_version"), "schema_version is missing"),
        (lambda values: values.update(schema_version=2), "newer edgekit"),
        (
            lambda values: values["cases"][0]["runs"][0].pop("warmup"),
            r"cases\[0\]\.runs\[0\]\.warmup is missing",
        ),
        (lambda values: values["device"].update(kind="toaster"), "device.kind must be 'android' or 'host'"),
        (lambda values: values["cases"][0]["runs"][0].update(ttft=True), "ttft must be a number, not true"),
    ],
)
def test_a_damaged_result_names_its_key(change: Callable[[Any], object], message: str) -> None:
    values = result_json(result(1.0))
    change(values)
    with pytest.raises(InputError, match=message):
        BenchResult.from_json(values)


def test_a_file_that_is_no_result_is_named(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    for text, message in (("{", "is not JSON"), ("[]", "not an object")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_result(path)
    with pytest.raises(InputError, match="no such file"):
        read_result(path.with_name("absent.json"))


def test_a_failure_of_each_kind_is_told() -> None:
    failed = replace(result(1.0).cases[0], failure="it crashed")
    told = replace(result(1.0), cases=(failed,), check=Check("hi", "a", "b")).failures
    assert told == ("cpu t2 pp8 tg5: it crashed", "greedy check: says 'a', expected 'b'")
