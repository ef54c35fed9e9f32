"""The bundle on the Gallery's own engine, which is older than the one that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from edgekit.errors import BundleError, MissingToolError
from edgekit.progress import SILENT, Progress
from edgekit.validation.probing import Refusal, ask_engine
from edgekit.validation.runtimes import environment
from edgekit.validation.voice import Questions

GALLERY_RUNTIME: Final = "0.11.0"
"""The release of LiteRT-LM in the Gallery 1.0.18."""

_TOKENS: Final = 48


@dataclass(frozen=True)
class Trial:
    """What came of it. sentence: for people."""

    outcome: Literal["passed", "failed", "skipped"]
    sentence: str


def try_gallery_runtime(
    model: Path, prompt: str, *, release: str = GALLERY_RUNTIME, progress: Progress = SILENT
) -> Trial:
    """Open the bundle in the Gallery's release of the engine and ask it something.

    The release is installed once, into an environment of its own. A release that cannot be had, or does not start
    here, is no verdict on the bundle: then the trial is skipped, and says why.
    """
    questions = Questions((), (), (({"role": "user", "content": prompt},),), _TOKENS)
    try:
        python = environment(release, progress)
        voice = ask_engine(
            model, questions, name=f"LiteRT-LM {release}", python=str(python), progress=progress
        )
    except MissingToolError as error:
        return Trial("skipped", f"not tried on the Gallery's runtime: {error.message}")
    except BundleError as error:
        return Trial("failed", f"the Gallery's runtime (LiteRT-LM {release}) fails on it: {error.message}")
    if isinstance(voice, Refusal):
        if "Error: " in voice.reason and ("import" in voice.reason.lower() or ".so" in voice.reason):
            return Trial("skipped", f"not tried: LiteRT-LM {release} does not start here ({voice.reason})")
        return Trial("failed", f"the Gallery's runtime (LiteRT-LM {release}) refuses it: {voice.reason}")
    text = voice.answers[0].text.strip()
    if not text:
        return Trial(
            "failed", f"the Gallery's runtime (LiteRT-LM {release}) opens it, but it answers nothing"
        )
    return Trial("passed", f"runs on the Gallery's runtime, LiteRT-LM {release}")
