"""The scoring graph computes what the shipped decode signature computes, on the bundle's own bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.container import read_container
from edgekit.bundle.inspect import inspect
from edgekit.bundle.manifest import read_manifest
from edgekit.bundle.opening import open_bundle
from edgekit.bundle.sidecar import read_sidecar
from edgekit.bundle.stored import model_bytes, stored_weights, unpack
from edgekit.checkpoint import Checkpoint
from edgekit.conversion.adapter.making import adapter
from edgekit.conversion.convert import convert
from edgekit.conversion.options import GraphOptions
from edgekit.errors import GraphError
from edgekit.families.gemma3 import GEMMA_3_270M
from edgekit.graph import find_graph
from edgekit.graph.format import GraphKey
from edgekit.quantize.solve import pack, quantize_tensor
from edgekit.recipes.scheme import Scheme
from edgekit.runtime.ask.questions import Said
from edgekit.runtime.reference import Reference
from edgekit.scoring.reference import ForcedText, HeadScorer, ReferenceRun
from edgekit.scoring.scorer import CHUNK, GraphScorer, open_scorer, relink, scoring_key, weights_of
from tests.conftest import TRIAGE
from tests.fixtures.bundles import Bundles

pytestmark = pytest.mark.slow

LENGTH = 2 * CHUNK + 7  # two whole chunks and a part, and twice the demo's sliding window


@pytest.mark.parametrize(
    ("recipe", "shape"),
    [
        ("float32", "dynamic"),
        ("int8", "dynamic"),
        ("int4", "dynamic"),
        ("int4-all", "dynamic"),
        ("int8", "static"),
    ],
)
def test_its_logits_are_those_of_the_shipped_decode_signature(
    demo_path: Path, tmp_path: Path, recipe: str, shape: str
) -> None:
    bundle = convert(
        demo_path, tmp_path / "b", recipe=recipe, graph=GraphOptions(form=shape, kv_length=1024), check=False
    )
    model = model_bytes(read_container(bundle.model))
    key = scoring_key(bundle.manifest.graph, None)
    assert key is not None
    scoring = relink(find_graph(key), weights_of(model, bundle.manifest))
    tokens = np.random.default_rng(5).integers(4, 1500, LENGTH).tolist()
    quick = np.concatenate(list(GraphScorer(scoring, longest=LENGTH, by_prefill=True).logits(tokens)))
    slow = np.concatenate(list(GraphScorer(bytes(model), longest=LENGTH, by_prefill=False).logits(tokens)))
    assert quick.shape == (LENGTH, bundle.manifest.architecture.vocab_size)
    # Dynamic-range kernels quantize the activations of each row alone, so a prompt and single tokens agree, but for a
    # last digit of a rotation in front of them, which may take a code to its neighbour. A static graph's angles and
    # norms are written in other operators, so more digits are last ones there.
    bound = {"dynamic": 5e-3, "static": 1e-2}[shape] * np.std(slow)
    assert np.sqrt(np.mean((quick - slow) ** 2)) < (2e-4 if recipe == "float32" else bound)


def test_half_precision_caches_count_in_its_logits(demo_path: Path, tmp_path: Path) -> None:
    """What `--kv-precision float16` costs is told because a prompt's keys and values are rounded like a step's."""
    made = {
        kv: convert(
            demo_path, tmp_path / kv, recipe="float32", graph=GraphOptions(kv_precision=kv), check=False
        )
        for kv in ("float32", "float16")
    }
    key = scoring_key(made["float16"].manifest.graph, None)
    assert key is not None and key.kv_precision == "float16"
    tokens = np.random.default_rng(5).integers(4, 1500, LENGTH).tolist()
    exact, rounded = (
        np.concatenate(list(open_scorer(inspect(result.bundle), longest=LENGTH).logits(tokens)))
        for result in made.values()
    )
    model = bytes(model_bytes(read_container(made["float16"].model)))
    stepped = np.concatenate(list(GraphScorer(model, longest=LENGTH, by_prefill=False).logits(tokens)))
    assert 1e-4 < np.abs(rounded - exact).max() < 0.05
    np.testing.assert_allclose(rounded, stepped, atol=2e-3)


@pytest.mark.parametrize("rank", [16, 32])
def test_with_an_adapter_its_logits_are_those_of_the_decode_signature(
    demo_path: Path, tmp_path: Path, rank: int
) -> None:
    """Whatever the rank of the base, the one scoring graph takes its sidecars."""
    graph = GraphOptions(adapters=str(rank))
    base = convert(demo_path, tmp_path / "b", recipe="float32", graph=graph, check=False).bundle
    made = adapter(TRIAGE / "adapter", base, tmp_path / "a", check=False)
    opened = open_bundle(base)
    model, matrices = model_bytes(read_container(opened.model_path)), read_sidecar(made.sidecar)
    assert {len(values) for values in matrices.values()} == {rank}
    assert opened.manifest is not None
    key = scoring_key(opened.manifest.graph, None, adapters=True)
    assert key is not None and key.adapters is not None and key.adapters.rank == 32
    scoring = relink(find_graph(key), stored_weights(model))
    tokens = np.random.default_rng(5).integers(4, 1500, LENGTH).tolist()
    quick, slow = (
        np.concatenate(
            list(GraphScorer(m, longest=LENGTH, by_prefill=quick, adapter=matrices).logits(tokens))
        )
        for m, quick in ((scoring, True), (bytes(model), False))
    )
    np.testing.assert_allclose(quick, slow, atol=2e-4)


def test_without_an_adapter_a_base_scores_as_the_plain_bundle(bundles: Bundles) -> None:
    """In float, to the bit; with rotations in it a plain bundle's values are rotated as well, and rounded otherwise."""
    tokens = np.random.default_rng(5).integers(4, 1500, LENGTH).tolist()
    plain, base = (
        np.concatenate(list(open_scorer(inspect(bundle), longest=LENGTH).logits(tokens)))
        for bundle in (
            bundles(recipe="float32"),
            bundles(recipe="float32", graph=GraphOptions(adapters="16")),
        )
    )
    assert np.array_equal(plain, base)


def test_a_scorer_begins_every_text_anew(int8_bundle: Path) -> None:
    opened = open_bundle(int8_bundle)
    model = model_bytes(read_container(opened.model_path))
    key = scoring_key(read_manifest(int8_bundle).graph, None)
    assert key is not None
    scorer = GraphScorer(relink(find_graph(key), stored_weights(model)), longest=90, by_prefill=True)
    first, second = list(range(10, 100)), list(range(200, 230))
    before = np.concatenate(list(scorer.logits(second)))
    list(scorer.logits(first))
    assert np.array_equal(np.concatenate(list(scorer.logits(second))), before)


def test_weights_of_another_architecture_are_refused(int8_bundle: Path) -> None:
    weights = stored_weights(model_bytes(read_container(open_bundle(int8_bundle).model_path)))
    with pytest.raises(GraphError, match="another shape"):
        relink(find_graph(GraphKey(GEMMA_3_270M, "dynamic", scoring=True)), weights)


def test_hidden_states_and_the_head_give_transformers_logits(reference: Reference, demo: Checkpoint) -> None:
    tokens = tuple(np.random.default_rng(6).integers(4, 1500, LENGTH).tolist())
    text = ForcedText(tokens, 3)
    said = Said("reference", None, (), (), (), ())
    run = ReferenceRun(said, (text,), tuple(reference.states([tokens[:-1]], [text.first])), None, {}, False)
    found = np.concatenate(list(HeadScorer(run, demo).logits(tokens, text.first)))
    np.testing.assert_allclose(found, reference.logits(tokens)[text.first : -1], atol=1e-4)


@pytest.mark.parametrize("scheme", [Scheme(8), Scheme(4), Scheme(2), Scheme(4, 32)])
def test_codes_are_unpacked_as_they_were_packed(scheme: Scheme) -> None:
    values = np.random.default_rng(2).standard_normal((6, 64), dtype=np.float32)
    codes = quantize_tensor(values, scheme).codes
    packed = pack(codes, scheme.bits).view(np.uint8)
    assert np.array_equal(unpack(packed, scheme.bits).reshape(codes.shape), codes)
