"""llama.cpp's part of `edgekit bench`, run by a Python that has llama-cpp-python and need not have edgekit.

It takes one task (`edgekit.benchmark.plan.RunnerTask`, as JSON) and prints the events that edgekit's own runner prints.
As llama-bench does it calls the C interface: a prompt in batches of 2,048 and parts of 512, 16-bit keys and values. The
output is generated greedily, whatever it says.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

ERROR = 4  # ggml_log_level


def main() -> int:
    """Run the task; the exit status is 0 when it came to its end."""
    stage = "import"
    try:
        import llama_cpp  # type: ignore[import-not-found, unused-ignore]

        if sys.argv[1:] == ["version"]:
            say(event="version", version=llama_cpp.__version__)
            return 0
        task = json.loads(sys.argv[1])
        signal.alarm(task["timeout_s"])
        if task["cpus"]:
            os.sched_setaffinity(0, map(int, task["cpus"].split(",")))
        stage = "open"
        began = time.perf_counter()
        model = Model(llama_cpp, task)
        say(event="init", seconds=time.perf_counter() - began)
        stage = "run"
        for number in range(task["warmup"] + task["runs"]):
            say(event="run", warmup=number < task["warmup"], **model.run(task))
    except Exception as error:  # whatever a foreign library raises
        say(event="error", stage=stage, message=f"{type(error).__name__}: {error}")
        return 1
    say(event="done")
    return 0


class Model:
    """A GGUF file and a context as long as the task needs."""

    def __init__(self, library: Any, task: dict[str, Any]) -> None:
        self.library, self.told = library, b""

        @library.llama_log_callback  # type: ignore[untyped-decorator]
        def listen(level: int, text: bytes, _: Any) -> None:
            if level == ERROR:
                self.told = self.told or text

        self.listen = listen  # else it is collected, and called
        library.llama_log_set(listen, ctypes.c_void_p(0))
        library.llama_backend_init()
        settings = library.llama_model_default_params()
        settings.n_gpu_layers = 0
        self.model = library.llama_model_load_from_file(task["model"].encode(), settings)
        if not self.model:
            raise RuntimeError(f"it does not open the file ({self.told.decode(errors='replace').strip()})")
        self.vocabulary = library.llama_vocab_n_tokens(library.llama_model_get_vocab(self.model))
        options = library.llama_context_default_params()
        options.n_ctx = task["kv_length"] or task["depth"] + task["prefill"] + task["decode"] + 1
        options.n_threads = options.n_threads_batch = task["threads"] or len(os.sched_getaffinity(0))
        self.context = library.llama_init_from_model(self.model, options)
        if not self.context:
            raise RuntimeError(f"it makes no context ({self.told.decode(errors='replace').strip()})")
        self.batch = options.n_batch

    def run(self, task: dict[str, Any]) -> dict[str, Any]:
        """Feed a prompt and generate behind it, in an empty context."""
        self.library.llama_memory_clear(self.library.llama_get_memory(self.context), True)
        self.feed([1 + n * 7919 % 5000 for n in range(task["depth"])])
        began = time.perf_counter()
        self.feed([1 + n * 104729 % 5000 for n in range(task["prefill"])])
        token = self.best()
        stamps = [time.perf_counter() - began]
        for _ in range(task["decode"]):
            self.feed([token])
            token = self.best()
            stamps.append(time.perf_counter() - began)
        prompt, total = stamps[0], stamps[-1]
        # As edgekit's runner counts: so many steps behind the prompt; the text of the last one is not waited for.
        return {
            "prefill_tokens": task["prefill"],
            "decode_tokens": task["decode"],
            "ttft": prompt,
            "total": total,
            "stamps_us": [round(stamp * 1e6) for stamp in stamps[: task["decode"]]],
            "prefill_tps": task["prefill"] / prompt,
            "decode_tps": task["decode"] / (total - prompt),
            "engine_ttft": None,
            "rss_peak": peak_memory(),
            "private": None,
        }

    def feed(self, ids: list[int]) -> None:
        """Compute behind ids."""
        for start in range(0, len(ids), self.batch):
            part = ids[start : start + self.batch]
            tokens = (ctypes.c_int32 * len(part))(*part)
            status = self.library.llama_decode(
                self.context, self.library.llama_batch_get_one(tokens, len(part))
            )
            if status:
                raise RuntimeError(
                    f"llama_decode gave {status} ({self.told.decode(errors='replace').strip()})"
                )

    def best(self) -> int:
        """The most probable next token."""
        import numpy as np

        logits = self.library.llama_get_logits_ith(self.context, -1)
        return int(np.argmax(np.ctypeslib.as_array(logits, (self.vocabulary,))))


def peak_memory() -> int | None:
    """VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def say(**event: Any) -> None:
    """Print an event; the kind of it stands first."""
    print(json.dumps(event, separators=(",", ":")), flush=True)


if __name__ == "__main__":
    sys.exit(main())
