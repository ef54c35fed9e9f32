"""`--to assets`: what an app that is there already needs to take a bundle in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgekit.packaging.kotlin.artifact import KEEP, KEEP_RULES, KOTLIN_NEEDED, coordinates, made_of_artifact
from edgekit.packaging.kotlin.model_class import adapters_told, call, class_name, model_class
from edgekit.packaging.kotlin.tools import tools_file
from edgekit.packaging.source import Job, place_assets, write_text
from edgekit.packaging.target import NoOptions, PackageTarget, Written
from edgekit.quoting import groovy_string, kotlin_string, markdown

STORED: Final = ("litertlm", "tflite", "json", "NOTICE")
"""Suffixes that aapt must not compress: model and sidecars would have to be unpacked in memory to be read."""

GROOVY: Final = "edgekit.gradle"
KOTLIN_DSL: Final = "edgekit.gradle.kts"


def write_assets(job: Job, directory: Path, _: NoOptions) -> Written:
    """Write assets, build file fragments, Kotlin and a README into an empty directory."""
    place_assets(job.source.contents, directory / "assets/edgekit", job.progress)
    name = class_name(job.source.name)
    write_text(directory / GROOVY, groovy_fragment())
    write_text(directory / KOTLIN_DSL, kotlin_fragment())
    write_text(directory / KEEP, KEEP_RULES)
    write_text(directory / f"{name}.kt", model_class(job.source, copies=True))
    kotlin = f"{name}.kt"
    if (calling := job.source.manifest.calling) is not None:
        write_text(directory / f"{name}Tools.kt", tools_file(calling, name))
        kotlin += f" and {name}Tools.kt"
    write_text(directory / "README.md", _readme(job, name))
    return Written(
        next_steps=(
            "cp -r {output}/assets YOUR-APP/app/src/main/",
            f"cp {{output}}/{KEEP} YOUR-APP/app/",
            f"add what {GROOVY} (or {KOTLIN_DSL}) says to YOUR-APP's app/build.gradle, and {kotlin} to its sources",
        ),
        notes=job.play.advice,
    )


def groovy_fragment() -> str:
    """What an app's build.gradle needs."""
    stored = ", ".join(map(groovy_string, STORED))
    return f"""\
// Into app/build.gradle.
android {{
    androidResources {{
        noCompress {stored}
    }}
    buildTypes {{
        release {{
            proguardFiles {groovy_string(KEEP)}
        }}
    }}
}}

dependencies {{
    implementation {groovy_string(coordinates())}
}}
"""


def kotlin_fragment() -> str:
    """What an app's build.gradle.kts needs."""
    stored = ", ".join(map(kotlin_string, STORED))
    return f"""\
// Into app/build.gradle.kts.
android {{
    androidResources {{
        noCompress += listOf({stored})
    }}
    buildTypes {{
        release {{
            proguardFiles({kotlin_string(KEEP)})
        }}
    }}
}}

dependencies {{
    implementation({kotlin_string(coordinates())})
}}
"""


def _readme(job: Job, name: str) -> str:
    source, manifest = job.source, job.source.manifest
    examples = source.task.examples
    sample = call(source, examples[0] if examples else "Hello")
    copied = "model and sidecars" if source.sidecar_of(source.task) else "the model"
    return f"""\
# {markdown(source.offer.title)}, for an app of yours

1. Copy `assets/` into your app module's `src/main/`, and `{KEEP}` beside its build file: without these rules R8
   takes away what the engine looks up by name.
2. Add what `{GROOVY}` says to `app/build.gradle`, or `{KOTLIN_DSL}` to `app/build.gradle.kts`: the model must lie in
   the APK uncompressed. The LiteRT-LM artifact needs Kotlin {KOTLIN_NEEDED} or newer.
3. Add `{name}.kt` to your sources, and ask:

       val model = {name}.open(context)                  // once, off the main thread; seconds
       model.{sample}.collect {{ print(it) }}
       model.close()
{adapters_told(source)}
`{manifest.model.file}` has {manifest.model.size:,} bytes. The engine maps real files, so the class copies {copied}
out of the assets at the first start, which takes that space a second time. Context: {manifest.kv_length:,} tokens,
prompts and answers together.

The class is for `{coordinates()}`; 0.15 and 0.16 are reported to abort when tokens are suppressed.
edgekit's own tests compile it against the artifact's signatures, having no access to the artifact itself. The terms in
`assets/edgekit/NOTICE`{", and in its adapters' folders," if source.adapters else ""} must stay with the model.
"""


ASSETS: Final = PackageTarget(
    name="assets",
    about="what an app that is there already needs",
    options=NoOptions,
    write=write_assets,
    made_of=made_of_artifact,
)
