"""What the sample app takes to start, and of the main thread while an answer streams: now, and before it was split.

    python benchmarks/app.py [--runs 7]

On the JVM, under Robolectric, with the demo model: only how the two compare means something. Each run is a process of
its own, in turns. Times of the main thread are processor time. The answer has some 100 tokens, one in 20 ms, and comes
after five others. Needs what `make android` needs. Written to results/app.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

import measure

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "android-build")]


def main() -> None:
    """Measure, print, and save."""
    from android_build.measuring import BEFORE, as_json
    from android_build.measuring import measure as measured

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--before", default=BEFORE, help="the revision to compare with")
    arguments = parser.parse_args()
    runs = as_json(measured(arguments.runs, arguments.before))
    rows = {name: medians(each) for name, each in runs.items()}
    print(measure.save("app", {"before": arguments.before, "rows": rows, "runs": runs}))


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure, and of the share of frames that took longer than a frame lasts."""
    found = {name: median(run[name] for run in runs) for name in runs[0]}
    return {**found, "slow_share": median(run["slow_frames"] / run["frames"] for run in runs)}


if __name__ == "__main__":
    main()
