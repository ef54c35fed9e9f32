"""The limits of `--fail-if`: in words, and what lies beyond them."""

from __future__ import annotations

import pytest

from edgekit.benchmark.compare import compare
from edgekit.benchmark.limits import broken_limits, parse_limit
from edgekit.errors import InputError
from tests.benchmark.results import result


def test_limits_in_words() -> None:
    limit = parse_limit("decode < 0.95x")
    assert (limit.metric, limit.sign, limit.bound, limit.relative) == ("decode", "<", 0.95, True)
    assert parse_limit("ttft>500ms").bound == 0.5
    assert parse_limit("rss > 300 MB").bound == 300e6
    assert parse_limit("decode < 40").bound == 40.0


@pytest.mark.parametrize("text", ["decode", "decode = 3", "speed < 3", "decode < 3 ms", "decode < fast", ""])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_limit(text)
    assert caught.value.where == "--fail-if"


def test_a_relative_limit_both_ways() -> None:
    slower = compare(result(44.0, 45.0, 46.0), result(50.0, 50.0, 50.0), interleaved=True)
    assert broken_limits([parse_limit("decode < 0.95x")], [], slower) == [
        "decode < 0.95x: 0.900x for cpu t2 pp8 tg5, against demo"
    ]
    assert broken_limits([parse_limit("decode < 0.85x")], [], slower) == []


def test_an_absolute_limit_both_ways() -> None:
    measured = [result(44.0, 45.0, 46.0)]
    assert broken_limits([parse_limit("decode < 46")], measured, []) == [
        "decode < 46: 45 for cpu t2 pp8 tg5 on host"
    ]
    assert broken_limits([parse_limit("decode < 45")], measured, []) == []


def test_a_limit_that_nothing_was_measured_for_fails() -> None:
    assert broken_limits([parse_limit("energy > 3")], [result(1.0)], []) == [
        "energy > 3: energy was not measured"
    ]
