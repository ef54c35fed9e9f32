"""What the engine's log says of the GPU, as 0.18.1 writes it."""

from __future__ import annotations

import pytest

from edgekit.runtime.ask.gpu import Gpu, find_gpu, gpu_failure
from edgekit.runtime.ask.reasons import failure_reason

CHOSEN = (
    "I0000 00:00:1795925392.947774   15486 environment.cc:532] Selected adapter: {}, arch={}, vendor={}, "
    "backend=Vulkan, adapterType={}\nINFO: [delegate_webgpu.cc:363] Created a WebGPU environment.\n"
)
SOFTWARE = CHOSEN.format("SwiftShader Device (Subzero)", "swiftshader", "google", "CPU / Software")
ENDING = (
    "E0000 00:00:1795925348.153233    1818 engine.cc:854] Failed to create engine: UNKNOWN: ERROR: [third_party/odml/"
    "litert_lm/runtime/executor/llm_litert_compiled_model_executor_factory.cc:236]\n"
    "└ ERROR: [third_party/odml/litert/litert/cc/litert_compiled_model.h:1961]\n"
    "└ Failed to modify graph with delegate\n"
)


def test_the_device_that_was_chosen() -> None:
    assert find_gpu(SOFTWARE) == Gpu("SwiftShader Device (Subzero)", "Vulkan", software=True)
    real = CHOSEN.format("Adreno (TM) 740", "adreno-7xx", "qualcomm", "Integrated GPU")
    assert find_gpu(SOFTWARE + real) == Gpu("Adreno (TM) 740", "Vulkan", software=False)
    assert find_gpu("INFO: [cpu_registry.cc:75] XNNPACK CPU accelerator registered.\n") is None


def test_it_says_when_a_figure_is_of_software() -> None:
    assert str(find_gpu(SOFTWARE)) == (
        "SwiftShader Device (Subzero) (Vulkan, software: it shows that a model runs, not how fast)"
    )
    assert str(Gpu("Adreno (TM) 740", "Vulkan", software=False)) == "Adreno (TM) 740 (Vulkan)"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            "ERROR: [delegate_webgpu.cc:359] Failed to initialize WebGPU environment: INTERNAL: No adapters found\n",
            "no GPU was found (No adapters found)",
        ),
        (
            "ERROR: Following operations are not supported by GPU delegate:\nFILL: Operation is not supported.\n"
            "SELECT: Operation is not supported.\n385 operations will run on the GPU, and the remaining 75 operations "
            "will run on the CPU.\n",
            "the GPU backend does not run the whole graph: FILL: Operation is not supported.; "
            "SELECT: Operation is not supported.",
        ),
        (
            "F0000 00:00:1795926602.784150    8107 model_builder.cc:3146] EMBEDDING_LOOKUP: Unsupported external "
            "weights type: 1\n",
            "the GPU backend looks nothing up in a table of float32",
        ),
        (
            "backend == Backend::CPU (GPU vs. CPU) LlmLiteRtCompiledModelExecutorDynamic only supports CPU backend.\n",
            "the GPU backend wants fixed shapes, and this graph is of the dynamic form",
        ),
    ],
)
def test_why_it_did_not_open(log: str, reason: str) -> None:
    assert gpu_failure(SOFTWARE + log + ENDING) == reason
    assert failure_reason(SOFTWARE + log + ENDING) == reason


def test_other_failures_are_not_the_gpu_s() -> None:
    assert gpu_failure(SOFTWARE + ENDING) is None
    assert failure_reason(ENDING) == "Failed to modify graph with delegate"
