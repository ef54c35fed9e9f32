"""Answers are held against the checkpoint itself, so that junk is not offered as a success."""

from __future__ import annotations

import pytest

from edgekit.checkpoint import Checkpoint
from edgekit.conversion.doubt import looks_wrong, tried
from edgekit.runtime.activations import behind_the_best
from edgekit.runtime.reference import Reference
from edgekit.text.settle import Text, read_text

ASKED = ({"role": "user", "content": "my screen is too dark"},)


@pytest.fixture(scope="module")
def text(demo: Checkpoint) -> Text:
    return read_text(demo.text_path, rows=demo.architecture.vocab_size)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("<unused82><unused1331>", True),
        ("wallpaper<unused2460>", True),
        ("the the the the the the the the", True),
        ("\ufffd\ufffd", True),
        ('{"screen": "display", "action": "increase"}', False),
        ("Hello! How can I help you today?", False),
        ("", False),
    ],
)
def test_junk_and_loops_look_wrong(answer: str, wrong: bool) -> None:
    assert looks_wrong(answer) is wrong


def test_what_the_checkpoint_says_it_agrees_with_and_junk_it_does_not(
    demo: Checkpoint, text: Text, reference: Reference
) -> None:
    said = tried(demo, text, ASKED, reference.generate(ASKED[0]["content"]))
    assert said is not None
    assert said.agreement == 1.0
    assert not said.doubtful
    junk = tried(demo, text, ASKED, "purple monkeys dance at noon on the moon")
    assert junk is not None
    assert junk.doubtful


def test_a_token_is_as_far_behind_as_transformers_has_it(demo: Checkpoint, reference: Reference) -> None:
    ids = [2, 40, 300, 7, 12, 900]
    logits = reference.logits(ids)[2:-1]
    expected = logits.max(axis=-1) - logits[range(3), ids[3:]]
    assert behind_the_best(demo.tensors, demo.architecture, ids, 3) == pytest.approx(expected, abs=1e-3)
