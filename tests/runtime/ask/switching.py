"""A process that does nothing but switch adapters: `python -m tests.runtime.switching BASE ADAPTER ADAPTER`.

Prints the answers of each adapter by turn, and the process's memory after 20 and after 100 switches.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.opening import open_bundle
from edgekit.runtime.ask.engine import open_engine

QUESTIONS = ("the wifi does not work at all", "gjør skjermen lysere, det haster")
SWITCHES = 100
WARM = 20


def memory() -> dict[str, int]:
    """Bytes of the process: `resident`, where a page that is mapped twice counts once, and `private`."""
    rollup = Path("/proc/self/smaps_rollup").read_text()
    sizes = {name: 1024 * int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", rollup, re.MULTILINE)}
    return {"resident": sizes["Pss"], "private": sizes["Private_Clean"] + sizes["Private_Dirty"]}


def switch(base: Path, adapters: list[Path]) -> dict[str, object]:
    bundle = open_bundle(base)
    opened = [open_adapter(adapter, bundle) for adapter in adapters]
    answers: dict[str, list[list[str]]] = {adapter.manifest.name: [] for adapter in opened}
    taken = {}
    with open_engine(bundle.model_path, threads=1) as engine:
        for number in range(SWITCHES):
            adapter = opened[number % len(opened)]
            with engine.chat(
                sampler=adapter.sampler, answers=adapter.answer, sidecar=adapter.sidecar, max_tokens=40
            ) as chat:
                answers[adapter.manifest.name].append([chat.send(question).text for question in QUESTIONS])
            if number + 1 in (WARM, SWITCHES):
                taken[number + 1] = memory()
    return {"answers": answers, "memory": taken}


if __name__ == "__main__":
    base, *adapters = map(Path, sys.argv[1:])
    json.dump(switch(base, adapters), sys.stdout)
