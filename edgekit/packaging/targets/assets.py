"""`--to assets`: what an app that is there already needs to take a bundle in, as files to copy."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edgekit.packaging.core import (
    KOTLIN_NEEDED,
    REPOSITORY,
    CoreOptions,
    core_coordinates,
    core_made_of,
    deploy_core,
    engines,
    facts,
)
from edgekit.packaging.kotlin.facade import YOUR_PACKAGE, facade_of
from edgekit.packaging.source import Job, place_assets, write_text
from edgekit.packaging.target import PackageTarget, Written
from edgekit.quoting import groovy_string, kotlin_string, markdown

STORED: Final = ("litertlm", "tflite")
"""Suffixes that aapt must not compress: copying model and sidecars out of the APK would take longer."""

ASSETS_FOLDER: Final = "edgekit"
GROOVY: Final = "edgekit.gradle"
KOTLIN_DSL: Final = "edgekit.gradle.kts"


def write_assets(job: Job, directory: Path, options: CoreOptions) -> Written:
    """Write assets, build file fragments, Kotlin, the library below it and a README into an empty directory."""
    place_assets(job.source.contents, directory / "assets" / ASSETS_FOLDER, job.progress)
    deploy_core(directory / REPOSITORY, engines(options), job.progress)
    facade = facade_of(job.source, YOUR_PACKAGE, assets=ASSETS_FOLDER)
    write_text(directory / GROOVY, groovy_fragment())
    write_text(directory / KOTLIN_DSL, kotlin_fragment())
    write_text(directory / facade.file, facade.text)
    write_text(
        directory / "README.md",
        f"""\
# {markdown(job.source.offer.title)}, for an app of yours

1. Copy `assets/` into your app module's `src/main/`, and `{REPOSITORY}/` beside its folder, at the project's root.
2. Add what `{GROOVY}` says to `settings.gradle` and `app/build.gradle`, or `{KOTLIN_DSL}` to the same in Kotlin.
3. Add `{facade.file}` to your sources, in a package of yours.

{facade.readme}
`edgekit package --to aar` makes all of this one dependency instead. Needs Android {facts().min_sdk} (API level) and
Kotlin {KOTLIN_NEEDED}. The terms in `assets/{ASSETS_FOLDER}/NOTICE`\
{", and in its adapters' folders," if job.source.adapters else ""} must stay with the model.
""",
    )
    return Written(
        next_steps=(
            f"cp -r {{output}}/assets YOUR-APP/app/src/main/ && cp -r {{output}}/{REPOSITORY} YOUR-APP/",
            f"add what {GROOVY} (or {KOTLIN_DSL}) says to YOUR-APP's build files, and {facade.file} to its sources",
        ),
        notes=job.play.advice,
    )


def groovy_fragment() -> str:
    """What an app's build files need."""
    stored = ", ".join(map(groovy_string, STORED))
    return f"""\
// Into settings.gradle, among the repositories of dependencyResolutionManagement.
maven {{ url = uri({groovy_string(REPOSITORY)}) }}

// Into app/build.gradle.
android {{
    androidResources {{
        noCompress {stored}
    }}
}}

dependencies {{
    implementation {groovy_string(str(core_coordinates()))}
}}
"""


def kotlin_fragment() -> str:
    """The same in Kotlin."""
    stored = ", ".join(map(kotlin_string, STORED))
    return f"""\
// Into settings.gradle.kts, among the repositories of dependencyResolutionManagement.
maven {{ url = uri({kotlin_string(REPOSITORY)}) }}

// Into app/build.gradle.kts.
android {{
    androidResources {{
        noCompress += listOf({stored})
    }}
}}

dependencies {{
    implementation({kotlin_string(str(core_coordinates()))})
}}
"""


ASSETS: Final = PackageTarget(
    name="assets",
    about="what an app that is there already needs",
    options=CoreOptions,
    write=write_assets,
    made_of=core_made_of,
    libraries=engines,
)
