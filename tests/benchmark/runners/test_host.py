"""The real engine on this machine: figures, failures, adapters.

The official binding, litert_lm, is the judge of token counts and of the greedy answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.benchmark.measure import measure
from edgekit.benchmark.plan import BenchPlan
from edgekit.benchmark.process import files_here
from edgekit.benchmark.result import BenchResult
from edgekit.benchmark.runners.host import HostBoard, HostRunner
from edgekit.benchmark.statistics import summaries
from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.subject import open_subject
from edgekit.device.host import fastest_cores
from edgekit.errors import BundleError
from edgekit.progress import SILENT
from tests.benchmark.greedy import greedy
from tests.fixtures.bundles import model_of

pytestmark = pytest.mark.slow

SMALL = BenchPlan((32,), (16,), threads=(2,), runs=2)
QUESTION = "my screen is too dark"
ALONE = BenchPlan((16,), (8,), threads=(1,), runs=2, check_prompt="the wifi does not work at all")


def here(plan: BenchPlan, *bundles: Path, adapters: Sequence[Path] = ()) -> tuple[BenchResult, ...]:
    with ExitStack() as stack:
        subjects = [stack.enter_context(open_subject(bundles[0], adapters))]
        subjects += [stack.enter_context(open_subject(path)) for path in bundles[1:]]
        return measure(HostBoard(), plan, subjects)


def test_a_run_has_the_lengths_and_times_that_were_asked_for(bundle: Path) -> None:
    (result,) = here(SMALL, bundle)
    (case,) = result.cases
    assert case.failure is None
    assert [run.warmup for run in case.runs] == [True, False, False]
    assert [init.cold for init in case.inits] == [True, False]
    assert case.cache_bytes and case.cache_bytes > 1_000_000
    for run in case.measured:
        assert (run.prefill_tokens, run.decode_tokens) == (32, 16)
        assert run.stamps[0] == pytest.approx(run.ttft, abs=1e-6)
        assert run.ttft is not None and run.total is not None and 0 < run.ttft < run.total
        assert list(run.stamps) == sorted(run.stamps)
        assert run.rss_peak and run.private and run.rss_peak > run.private > 10_000_000
        # The figure that LiteRT-LM derives: prefill time and one mean decode step.
        assert run.prefill_tps and run.decode_tps
        derived = 32 / run.prefill_tps + 1 / run.decode_tps
        # It counts in whole nanoseconds, and speeds have six decimals: of a slow run these say less.
        rounding = 2e-9 + 5e-7 * (32 / run.prefill_tps**2 + 1 / run.decode_tps**2)
        assert run.engine_ttft == pytest.approx(derived, abs=rounding)
    assert set(summaries(case)) >= {
        "prefill",
        "decode",
        "decode_after_first",
        "ttft",
        "p50",
        "p95",
        "p99",
        "rss",
    }
    assert result.bundle.sha256 and result.device.cores and result.engine.version


def test_the_cache_is_filled_to_the_depth_before_the_prompt(bundle: Path) -> None:
    plan = BenchPlan((16,), (8,), depth=(0, 300), threads=(2,), runs=1)
    (result,) = here(plan, bundle)
    assert (result.failures == () and result.notes == ()) or all("seen" in note for note in result.notes)
    assert [run.prefill_tokens for case in result.cases for run in case.runs] == [16] * 4


def test_cold_starts_find_no_engine_cache(bundle: Path) -> None:
    plan = BenchPlan((16,), (8,), threads=(2,), runs=2, cold=True)
    (result,) = here(plan, bundle)
    assert [init.cold for init in result.cases[0].inits] == [True, True]
    assert len(result.cases[0].measured) == 2


def test_the_greedy_answer_is_the_bindings_own(bundle: Path) -> None:
    plan = BenchPlan((16,), (4,), threads=(2,), runs=1, check_prompt=QUESTION)
    (result,) = here(plan, bundle)
    expected = greedy(model_of(bundle), QUESTION, threads=2)
    assert result.check is not None and result.check.text == expected and "brightness" in expected


def test_a_prompt_above_the_kv_length_is_a_failure_of_its_case_alone(bundle: Path) -> None:
    plan = BenchPlan((16, 300), (8,), threads=(2,), runs=1, kv_length=128)
    (result,) = here(plan, bundle)
    fits, exceeds = result.cases
    assert fits.failure is None and len(fits.measured) == 1
    assert exceeds.failure is not None
    assert "too long" in exceeds.failure and "KV length" in exceeds.failure
    assert exceeds.runs == ()


def test_an_output_that_does_not_fit_is_a_failure(bundle: Path) -> None:
    (result,) = here(BenchPlan((100,), (60,), threads=(2,), runs=1, kv_length=128), bundle)
    assert "KV length" in str(result.cases[0].failure)


def test_a_corrupt_model_is_a_failure_with_the_engines_reason(tmp_path: Path, bundle: Path) -> None:
    path = tmp_path / "cut.litertlm"
    path.write_bytes(model_of(bundle).read_bytes()[:100_000])
    (result,) = here(SMALL, path)
    assert str(result.cases[0].failure).startswith("the engine says: ")
    with pytest.raises(BundleError, match="no such file"):
        here(SMALL, tmp_path / "absent.litertlm")


def test_bundles_take_turns(bundle: Path, float_bundle: Path) -> None:
    ours, theirs = here(replace(SMALL, decode=(8,), runs=3), bundle, float_bundle)
    assert len(ours.cases[0].measured) == len(theirs.cases[0].measured) == 3
    assert ours.bundle.recipe == "int8" and theirs.bundle.recipe == "float32"


def test_the_fastest_cores_are_pinned_to_when_asked_for(bundle: Path) -> None:
    with open_subject(bundle) as subject:
        ((result,),) = (
            HostRunner(big_cores=True).measure(replace(SMALL, runs=1), [subject], (), SILENT).targets
        )
    assert result.failures == ()
    assert result.plan.cpus == fastest_cores()


# --- adapters ----------------------------------------------------------------------------------------------------


def test_sessions_have_the_adapter_that_was_asked_for(
    adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    adapter = open_adapter(sentiment_adapter, open_bundle(adapter_ready_bundle))
    (result,) = here(ALONE, adapter_ready_bundle, adapters=[sentiment_adapter])
    assert result.failures == ()
    model = open_bundle(adapter_ready_bundle).model_path
    expected = greedy(model, str(ALONE.check_prompt), sidecar=adapter.sidecar)
    assert result.check is not None and result.check.text == expected
    assert result.bundle.adapter is not None
    assert (result.bundle.adapter.name, result.bundle.adapter.rank) == ("sentiment", 16)
    assert result.bundle.adapter.sha256 == adapter.manifest.sidecar.sha256
    runs = result.cases[0].runs
    assert [(run.warmup, run.prefill_tokens) for run in runs] == [(True, 16), (False, 16)] * ALONE.runs


def test_memory_does_not_depend_on_the_number_of_runs(
    adapter_ready_bundle: Path, sentiment_adapter: Path
) -> None:
    """The engine keeps the inputs of every session (1.3 MB here): so each run has a process of its own."""
    (result,) = here(replace(ALONE, runs=6), adapter_ready_bundle, adapters=[sentiment_adapter])
    (alone,) = here(replace(ALONE, warmup=0), adapter_ready_bundle, adapters=[sentiment_adapter])
    # Not private memory: pages of the engine's library are none while another process has them, too.
    peaks = [run.rss_peak for run in result.cases[0].measured if run.rss_peak]
    assert len(peaks) == 6
    assert max(peaks) - min(peaks) < 5e6
    assert next(note for note in result.notes if "memory" in note).startswith(
        "memory holds the adapter inputs of 2 sessions"
    )
    assert not [note for note in alone.notes if "memory" in note]


def test_a_base_alone_is_measured_as_it_is_used(adapter_ready_bundle: Path) -> None:
    """With an empty sidecar, which is looked for neither beside the model nor in a manifest."""
    model = open_bundle(adapter_ready_bundle).model_path
    (result,) = here(ALONE, model)
    assert result.bundle.adapter is None
    assert result.switching is None
    assert result.check is not None and result.check.text == greedy(model, str(ALONE.check_prompt))


def test_a_model_that_takes_no_adapters_has_no_sidecar(bundle: Path) -> None:
    with open_subject(bundle) as subject:
        assert subject.sidecar is None
        assert files_here(subject).sidecar == ""
