"""A calibrated conversion is closer to its checkpoint, says on what it was calibrated, and stays reproducible."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.checkpoint import Checkpoint, open_checkpoint
from edgekit.conversion import calibrate as module
from edgekit.conversion.calibrate import TOKENS, Calibration, calibrate
from edgekit.conversion.convert import convert
from edgekit.conversion.options import Calibrate, TextOptions
from edgekit.errors import EdgekitError, InputError
from edgekit.files.cache import CACHE_VARIABLE
from edgekit.graph import find_graph, graph_key, plan_link
from edgekit.graph.weights import model_chunks
from edgekit.quantize.rotation import rotate_weights
from edgekit.recipes import Scheme
from edgekit.runtime.interpreter import GraphInterpreter
from edgekit.runtime.reference import Reference
from edgekit.text.settle import Text, read_text
from tests.conftest import EXAMPLE
from tests.fixtures.noting import Noting

ROTATION = 128
ASKED = "make the text bigger, please, and turn the brightness down"


@pytest.fixture(scope="module")
def text(demo: Checkpoint) -> Text:
    return read_text(demo.text_path, rows=demo.architecture.vocab_size)


@pytest.fixture(scope="module")
def calibration(demo: Checkpoint, text: Text) -> Calibration:
    return calibrate(demo, text, Calibrate(), "a digest")


def error(demo: Checkpoint, reference: Reference, ids: list[int], scheme: Scheme, calibration: Any) -> float:
    """Root mean square error of a text's logits, all matrices stored by one scheme, in rotated form."""
    graph = find_graph(graph_key(demo.architecture, "dynamic", rotation=ROTATION))
    matrices = [c.tensor for c in graph.constants if c.quantizable]
    tensors = rotate_weights(
        demo.tensors, matrices, ROTATION, demo.architecture.head_dim, through_attention=True
    )
    link = plan_link(graph, dict.fromkeys(matrices, scheme), demo.architecture.vocab_size, None)
    roots = None if calibration is None else calibration.roots(tensors)
    chunks = model_chunks(link, tensors, roots=roots, advance=lambda _: None)
    runner = GraphInterpreter(b"".join(map(bytes, chunks)), kv_length=64)
    runner.prefill(ids[:1])
    return float(np.sqrt(np.mean((runner.logits(ids[1:]) - reference.logits(ids)[1:]) ** 2)))


@pytest.mark.parametrize("scheme", [Scheme(4), Scheme(4, 32)], ids=Scheme.label)
def test_logits_are_closer_than_without(
    scheme: Scheme, demo: Checkpoint, text: Text, reference: Reference, calibration: Calibration
) -> None:
    ids = [2, *text.tokenizer.encode(ASKED)]
    calibrated = error(demo, reference, ids, replace(scheme, algorithm="gptq"), calibration)
    assert calibrated < 0.9 * error(demo, reference, ids, scheme, None)


def test_the_manifest_says_on_what_and_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text(
        "".join(json.dumps({"prompt": f"{ASKED} {n}", "expected": "{}"}) + "\n" for n in range(30))
    )

    def run(name: str) -> Any:
        return convert(EXAMPLE / "checkpoint", tmp_path / name, calibrate=Calibrate([data]), check=False)

    first, second = run("a"), run("b")
    use = first.manifest.recipe.calibration
    assert use.texts == ("train.jsonl",)
    assert 30 * 5 < use.tokens <= TOKENS
    assert set(first.manifest.recipe.schemes.values()) == {"int8 channel gptq"}
    assert first.model.read_bytes() == second.model.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("turns", [None, "one"])
def test_rows_of_several_turns_are_told_of_where_a_format_would_cut_them(tmp_path: Path, turns: Any) -> None:
    asked = {"role": "user", "content": ASKED}
    talk = {"messages": [asked, {"role": "assistant", "content": "(a)"}, asked]}
    (tmp_path / "train.jsonl").write_text(f"{json.dumps(talk)}\n")
    text = TextOptions(answer_regex="(a|b)", turns=turns)
    calibrate = Calibrate([tmp_path / "train.jsonl"])
    made = convert(EXAMPLE / "checkpoint", tmp_path / "b", text=text, calibrate=calibrate, check=False)
    assert any("--turns many" in note for note in made.manifest.notes) == (turns is None)


@pytest.mark.slow
def test_what_was_seen_is_kept_and_a_damaged_cache_is_made_anew(
    demo: Checkpoint, text: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))  # other workers keep theirs in the one that all share
    looked = []
    look = module.input_moments
    monkeypatch.setattr(module, "input_moments", lambda *a, **k: looked.append(1) or look(*a, **k))
    first = calibrate(demo, text, Calibrate(), "another digest")
    again = calibrate(demo, text, Calibrate(), "another digest")
    assert len(looked) == 1
    assert all(np.array_equal(first.moments[place], again.moments[place]) for place in first.moments)
    (kept,) = (tmp_path / "calibrations").iterdir()
    damaged = bytearray(kept.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF  # a number among many
    kept.write_bytes(damaged)
    for name in "abc":  # of other checkpoints, and older
        (kept.parent / f"{name}.moments").touch()
    told = Noting()
    calibrate(demo, text, Calibrate(), "another digest", told)
    assert len(looked) == 2
    assert str(kept) in told.notes[0]
    assert kept.exists()
    assert len(list(kept.parent.iterdir())) == 3


def test_texts_without_a_word_are_refused_by_name(demo: Checkpoint, text: Text, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(InputError, match=r"empty\.txt"):
        calibrate(demo, text, Calibrate([tmp_path / "empty.txt"]), "a digest")


def test_a_place_that_is_taken_is_told_before_anything_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "input_moments", lambda *_: pytest.fail("looked at activations"))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes").write_text("mine")
    with pytest.raises(EdgekitError, match="b"):
        convert(EXAMPLE / "checkpoint", tmp_path / "b", calibrate=Calibrate(), check=False)


def test_a_recipe_that_quantizes_nothing_is_not_calibrated_in_silence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to calibrate"):
        convert(EXAMPLE / "checkpoint", tmp_path / "b", recipe="float32", calibrate=Calibrate(), check=False)


@pytest.mark.slow
def test_an_adapter_ready_base_and_a_trimmed_vocabulary_are_calibrated_too(tmp_path: Path) -> None:
    from edgekit.conversion.options import GraphOptions, Trim

    data = tmp_path / "task.txt"
    data.write_text(ASKED)
    source = EXAMPLE / "checkpoint"
    for options in ({"graph": GraphOptions(adapters="16")}, {"trim": Trim([data], keep=600)}):
        made = convert(source, tmp_path / "b", calibrate=Calibrate(), check=True, force=True, **options)
        assert made.manifest.recipe.calibration is not None
        assert made.manifest.recipe.calibration.texts == ("built-in text",)
    assert open_checkpoint(source).architecture.vocab_size > 600
