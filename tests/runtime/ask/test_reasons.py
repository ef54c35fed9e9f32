"""Reasons out of the engine's log, as 0.18.1 writes it."""

from __future__ import annotations

import pytest

from edgekit.runtime.ask.reasons import failure_reason, logged_errors

REGEX = """\
WARNING: Logging before InitGoogle() is written to STDERR
E0000 00:00:1795901180.432584    7917 conversation.cc:613] Failed to start message stream: INTERNAL: Failed to create \
LLGuidance constraint: at 1(8): invalid regex "(?=a)b" (in regex): regex parse error:
    (?=a)b
    ^^^
error: look-around, including look-ahead and look-behind, is not supported

=== Source Location Trace: ===
third_party/odml/litert_lm/runtime/conversation/conversation.cc:401
"""
NESTED = """\
E0000 00:00:1795901181.040674    7938 memory_mapped_file_posix.cc:109] INTERNAL: RET_CHECK failure Offset (81920)
Stack trace:
    @     0x7f9c96c01808  absl::StatusBuilder::CreateStatusAndConditionallyLog()
E0000 00:00:1795901181.098936    7938 engine.cc:854] Failed to create engine: NOT_FOUND: ERROR: \
[third_party/odml/litert_lm/runtime/executor/llm_litert_compiled_model_executor_factory.cc:228]
└ ERROR: [third_party/odml/litert_lm/runtime/executor/llm_litert_compiled_model_executor_factory.cc:91]
└ tf_lite_prefill_decode not found in the model.
=== Source Location Trace: ===
third_party/odml/litert/litert/cc/litert_macros.h:562
"""


@pytest.mark.parametrize(
    ("log", "said", "reason"),
    [
        (NESTED, "Failed to create LiteRT-LM engine", "tf_lite_prefill_decode not found in the model."),
        ("", "Failed to create LiteRT-LM engine for x", "Failed to create LiteRT-LM engine for x"),
        ("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n", "no\nmore", "no"),
        ("", "", ""),
    ],
    ids=["the innermost status", "only the binding", "nothing but news", "nothing"],
)
def test_a_failure_has_the_innermost_reason(log: str, said: str, reason: str) -> None:
    assert failure_reason(log, said) == reason


def test_a_reason_of_several_lines_is_one_sentence_without_places_and_times() -> None:
    reason = failure_reason(REGEX)
    assert reason.startswith("Failed to create LLGuidance constraint: at 1(8): invalid regex")
    assert reason.endswith("error: look-around, including look-ahead and look-behind, is not supported")
    assert "conversation.cc" not in reason


def test_every_error_of_a_log_is_found() -> None:
    assert len(logged_errors(NESTED + REGEX)) == 3
