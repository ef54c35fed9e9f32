"""What is counted of calls, row by row."""

from __future__ import annotations

import pytest

from edgekit.calling.calls import Call, render
from edgekit.calling.tools import Calling, Tool
from edgekit.scoring.calls import ShownArgument, call_metrics, kind_of, wrong_calls
from edgekit.scoring.metric import TaskMetric
from edgekit.scoring.task import is_right, task_kind, task_metrics

TOOLS = (
    Tool("lamp", "", {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}),
    Tool(
        "mail",
        "",
        {
            "type": "object",
            "properties": {"to": {"type": "string"}, "body": {"type": "string"}},
            "required": ["to"],
        },
    ),
)
CALLING = Calling("function_gemma", "auto", TOOLS)
ON, OFF = Call("lamp", {"on": True}), Call("lamp", {"on": False})
MAIL = Call("mail", {"to": "anna@example.com", "body": "See you."})


def calls(*some: Call) -> str:
    return render(some, "function_gemma")


EXPECTED = [calls(ON), calls(ON, MAIL), calls(ON, OFF), "I cannot."]


def scores(*answers: str) -> dict[str, float]:
    return {m.name: m.bundle.value for m in call_metrics(CALLING, EXPECTED, None, answers)}


def test_right_answers_are_right_in_every_way() -> None:
    found = scores(*EXPECTED)
    assert found.pop("false calls") == 0
    assert set(found.values()) == {1.0}


def test_calls_in_another_order_are_exact_but_not_in_order() -> None:
    found = scores(EXPECTED[0], calls(MAIL, ON), calls(OFF, ON), "No.")
    assert found["exact calls"] == found["exact calls, BFCL"] == 1
    assert found["exact calls, in order"] == 0.5


def test_spelling_that_bfcl_forgives() -> None:
    other = Call("mail", {"to": "ANNA@example.com", "body": "see you"})
    found = scores(EXPECTED[0], calls(ON, other), EXPECTED[2], "No.")
    assert found["exact calls"] == 0.75
    assert found["exact calls, BFCL"] == 1
    assert found["arguments, BFCL"] == 1
    assert found["arguments"] == pytest.approx(4 / 6)
    assert found["several tools"] == 0


def test_one_is_not_true() -> None:
    assert scores(calls(Call("lamp", {"on": 1})), *EXPECTED[1:])["exact calls"] == 0.75


def test_names_that_are_missing_or_too_many() -> None:
    found = scores(calls(ON, MAIL), calls(ON), calls(Call("sing", {})), calls(OFF))
    assert found["precision of names"] == 2 / 5
    assert found["recall of names"] == 2 / 5
    assert found["known names"] == 0.75
    assert found["right refusals"] == 0
    assert found["false calls"] == 1


def test_what_cannot_be_read_is_no_refusal() -> None:
    found = scores(*EXPECTED[:3], "<start_function_call>call:lamp{on:tr")
    assert found["can be read"] == 0.75
    assert found["right refusals"] == 0


def test_shares_of_kinds_of_rows_have_their_own_intervals() -> None:
    found = {m.name: m for m in call_metrics(CALLING, EXPECTED, EXPECTED, EXPECTED)}
    assert found["right refusals"].bundle.low == pytest.approx(0.2065, abs=1e-3)  # Wilson's, one of one
    assert found["exact calls"].pairs is not None
    assert found["exact calls"].pairs.rows == 4


def test_only_exact_calls_and_reading_decide() -> None:
    metrics: list[TaskMetric] = task_metrics("calls", EXPECTED, EXPECTED, EXPECTED, EXPECTED, CALLING)
    assert [m.name for m in metrics if m.decides] == ["exact calls", "can be read"]
    assert all(m.free is not None for m in metrics)


def test_a_bundle_that_calls_has_a_task_of_calls() -> None:
    assert task_kind(EXPECTED, CALLING) == "calls"
    assert is_right("calls", calls(MAIL, ON), EXPECTED[1], "function_gemma")
    assert is_right("calls", "Something else in words.", EXPECTED[3], "function_gemma")


def test_rows_by_what_they_expect() -> None:
    assert [kind_of(some) for some in ([], [ON], [ON, OFF], [ON, MAIL])] == [
        "no call",
        "one call",
        "several calls of one tool",
        "several tools",
    ]


def test_wrong_calls_name_the_argument() -> None:
    said = calls(OFF, Call("mail", {"to": "anna@example.com"}))
    found = wrong_calls(3, "light and mail", said, EXPECTED[1], "function_gemma")
    assert found is not None
    lamp, mail = found.expected
    assert lamp.arguments == (ShownArgument("on", "true", wrong=True),)
    assert [argument.wrong for argument in mail.arguments] == [True, False]
    assert found.said[0].arguments == (ShownArgument("on", "false", wrong=True),)
    assert wrong_calls(3, "", EXPECTED[1], EXPECTED[1], "function_gemma") is None


def test_a_call_that_nobody_expected_is_wrong_as_a_whole() -> None:
    found = wrong_calls(1, "", calls(ON), "I cannot.", "function_gemma")
    assert found is not None and found.said[0].wrong and found.expected == ()
