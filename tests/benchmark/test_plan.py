"""Plans: grids, presets, the task of one process, and JSON round trips."""

import json

import pytest

from edgekit.benchmark.plan import (
    SWITCHES,
    BenchPlan,
    Case,
    Files,
    check_plan,
    check_task,
    init_task,
    preset_plan,
    run_task,
    switch_task,
)
from edgekit.errors import InputError


def test_a_grid_is_every_combination_of_its_axes() -> None:
    plan = BenchPlan(prefill=(32, 128), decode=(64,), depth=(0, 512), threads=(1, 2))
    assert [case.name for case in plan.cases()] == [
        "cpu t1 pp32 tg64",
        "cpu t1 pp32 tg64 @ d512",
        "cpu t1 pp128 tg64",
        "cpu t1 pp128 tg64 @ d512",
        "cpu t2 pp32 tg64",
        "cpu t2 pp32 tg64 @ d512",
        "cpu t2 pp128 tg64",
        "cpu t2 pp128 tg64 @ d512",
    ]


@pytest.mark.parametrize(
    ("name", "lengths"), [("gallery", (256, 256)), ("llama", (512, 128)), ("portal", (1024, 256))]
)
def test_presets_set_the_lengths(name: str, lengths: tuple[int, int]) -> None:
    (case,) = preset_plan(name).cases()
    assert (case.prefill, case.decode) == lengths
    assert preset_plan(name, decode=(8,)).cases() == (Case("cpu", None, lengths[0], 8),)


def test_a_plan_survives_json() -> None:
    plan = BenchPlan(
        (32, 64),
        (16,),
        (0, 128),
        (None, 2),
        ("cpu", "gpu"),
        kv_length=512,
        cold=True,
        check_prompt="é",
        cpus=(4, 5),
    )
    assert BenchPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"prefill": (1,)}, "--prefill"),
        ({"decode": (2,)}, "--decode"),
        ({"depth": (1,)}, "--depth"),
        ({"threads": (0,)}, "--threads"),
        ({"threads": (2, 2)}, "--threads"),
        ({"prefill": ()}, "--prefill"),
        ({"backend": ("tpu",)}, "--backend"),
        ({"runs": 0}, "--runs"),
        ({"timeout": 0.0}, "--timeout"),
        ({"kv_length": 0}, "--kv-length"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_option(changes: dict[str, object], named: str) -> None:
    with pytest.raises(InputError) as caught:
        check_plan(BenchPlan(**changes))  # type: ignore[arg-type]
    assert caught.value.where == named


def test_a_damaged_plan_names_its_key() -> None:
    values = json.loads(BenchPlan().to_json())
    values["runs"] = "five"
    with pytest.raises(InputError, match="runs must be a whole number"):
        BenchPlan.from_json(json.dumps(values))


def test_the_tasks_of_a_plan_are_flat_objects_of_texts_and_numbers() -> None:
    plan = BenchPlan((256,), (128,), (64,), (2,), kv_length=1024, check_prompt="hi", cpus=(4, 6), timeout=9.6)
    (case,) = plan.cases()
    files = Files("m.litertlm", "a.lora.tflite", ("b", "c"), cache_dir="c")
    task = json.loads(run_task(plan, case, files, warmup=1, runs=3).to_json())
    assert task == {
        "model": "m.litertlm",
        "backend": "cpu",
        "threads": 2,
        "kv_length": 1024,
        "prefill": 256,
        "decode": 128,
        "depth": 64,
        "warmup": 1,
        "runs": 3,
        "cache_dir": "c",
        "check_prompt": "",
        "check_tokens": 32,
        "sidecar": "a.lora.tflite",
        "others": "",
        "switches": 0,
        "cpus": "4,6",
        "timeout_s": 10,
    }
    assert init_task(plan, case, files).decode == 0
    question = check_task(plan, files)
    assert (question.check_prompt, question.decode, question.runs) == ("hi", 0, 0)
    assert (question.sidecar, question.others) == ("a.lora.tflite", "")
    switching = switch_task(plan, files)
    assert (switching.sidecar, switching.others, switching.switches) == ("a.lora.tflite", "b\nc", SWITCHES)
