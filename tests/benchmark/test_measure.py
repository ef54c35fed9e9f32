"""The one loop of all boards: which process runs when, and what becomes of its outcome."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from edgekit.benchmark.measure import measure, schedule
from edgekit.benchmark.plan import SWITCHES, BenchPlan, RunnerTask
from edgekit.benchmark.process import Outcome
from tests.benchmark.boards import ToyBoard, runs_of, subject

PLAN = BenchPlan((16,), (8,), runs=2, check_prompt="hello")
PLANS = st.builds(
    BenchPlan,
    prefill=st.sampled_from([(16,), (16, 32)]),
    decode=st.just((8,)),
    threads=st.sampled_from([(None,), (1, 2)]),
    warmup=st.integers(0, 2),
    runs=st.integers(1, 4),
    cold=st.booleans(),
)


@given(PLANS, st.integers(1, 3), st.booleans())
def test_every_side_gets_every_run_of_every_case(plan: BenchPlan, sides: int, apart: bool) -> None:
    steps = schedule(plan, sides, apart=apart)
    runs: Counter[object] = Counter()
    for step in steps:
        runs[step.side, step.case] += step.runs
    assert runs == {(side, case): plan.runs for side in range(sides) for case in plan.cases()}
    first = {step.side: step for step in reversed(steps)}
    assert all(step.cold for step in first.values())
    if sides > 1:
        measuring = [step.side for step in steps if step.runs]
        assert measuring == list(range(sides)) * (len(measuring) // sides)


def test_two_bundles_take_turns() -> None:
    plan = BenchPlan((16, 32), (8,), runs=3)
    short, long = plan.cases()
    turns = [(step.side, step.case) for step in schedule(plan, 2) if step.runs]
    assert turns == [(0, short), (1, short)] * 3 + [(0, long), (1, long)] * 3
    opened = [step for step in schedule(plan, 2) if not step.runs]
    assert [(step.side, step.cold) for step in opened] == [(0, True), (1, True)]


def test_a_plan_is_carried_out_in_turns_and_everything_is_taken_away() -> None:
    board = ToyBoard()
    ours, theirs = measure(board, PLAN, [subject("a"), subject("b")])
    opening = [["rest 0", f"empty cache/{name}", f"run {name}.litertlm"] for name in "ab"]
    turns = [["rest 0", f"run {name}.litertlm"] for name in "abab"]
    asked = [[f"run {name}.litertlm"] for name in "ab"]
    assert board.done == [
        "place a",
        "place b",
        *(word for part in (*opening, *turns, *asked) for word in part),
        "take away b",
        "take away a",
    ]
    assert [len(result.cases[0].measured) for result in (ours, theirs)] == [2, 2]
    assert [init.cold for init in ours.cases[0].inits] == [True, False, False]
    assert (ours.target, ours.engine, ours.cases[0].cache_bytes) == ("toy", board.engine, 12)
    assert ours.device.before.load == 0 and ours.device.after.load == len(board.done) - 2
    assert [result.check and result.check.text for result in (ours, theirs)] == [
        "a.litertlm says hi",
        "b.litertlm says hi",
    ]


def test_another_machine_s_answer_is_held_beside_the_board_s() -> None:
    right, wrong = measure(
        ToyBoard(), PLAN, [subject("a"), subject("b")], expected=["a.litertlm says hi", "bye"]
    )
    assert right.failures == ()
    assert wrong.failures == ("greedy check: says 'b.litertlm says hi', expected 'bye'",)


def test_a_crash_fails_its_case_alone_and_leaves_out_what_would_follow() -> None:
    def crash(task: RunnerTask) -> Outcome:
        found = runs_of(task)
        return (
            replace(found, failure="SIGABRT") if (task.prefill, task.model) == (16, "a.litertlm") else found
        )

    board = ToyBoard(crash)
    plan = replace(PLAN, prefill=(16, 32), check_prompt=None)
    ours, theirs = measure(board, plan, [subject("a"), subject("b")])
    assert [case.failure for case in ours.cases] == ["SIGABRT", None]
    assert [len(case.measured) for case in ours.cases] == [1, 2]
    assert theirs.failures == ()
    assert len([task for task in board.tasks if (task.prefill, task.model) == (16, "a.litertlm")]) == 1


def test_notes_are_told_once() -> None:
    def hot(task: RunnerTask) -> Outcome:
        return replace(runs_of(task), notes=("throttled",))

    (result,) = measure(ToyBoard(hot, warm="still warm"), PLAN, [subject()])
    case = result.cases[0].case.name
    assert result.notes == (f"{case}: still warm", f"{case}: throttled")


def test_tokens_that_were_not_seen_are_told() -> None:
    def silent(task: RunnerTask) -> Outcome:
        found = runs_of(task)
        return replace(found, runs=tuple(replace(run, stamps=(), prefill_tokens=15) for run in found.runs))

    (result,) = measure(ToyBoard(silent), PLAN, [subject()])
    assert [note.partition(": ")[2].partition(" (")[0] for note in result.notes] == [
        "0 of 16 generated tokens were seen",
        "the prompt had 15 tokens",
    ]


def test_what_has_sidecars_is_measured_apart_and_switched() -> None:
    board = ToyBoard()
    (result,) = measure(board, PLAN, [subject("a", Path("own.lora"), "next.lora")])
    assert [task.runs for task in board.tasks] == [0, 1, 1, 0, 0]
    assert {task.sidecar for task in board.tasks} == {"own.lora"}
    (switching,) = [task for task in board.tasks if task.switches]
    assert (switching.others, switching.switches) == ("next.lora", SWITCHES)
    assert result.switching is not None
    assert any("adapter inputs of 2 sessions" in note for note in result.notes)
