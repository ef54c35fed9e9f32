"""Makes the dex of a release build: R8 leaves out what is never reached, and shortens names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from android_build.catalog import levels
from android_build.kotlin import app_classes
from android_build.layout import IN_APP
from android_build.libraries import app_libraries
from android_build.maven import fetch
from android_build.outputs import made
from android_build.process import java, java_home, run
from android_build.resources import app_resources
from android_build.toolchain import platform

_MAPPING: Final = "mapping.txt"


def shrunk() -> Path:
    """Return a directory with classes.dex and META-INF/services. The same classes make the same bytes."""
    classes, resources, libraries = app_classes(), app_resources(), app_libraries()
    minimum = levels().minimum
    own_rules = [path for module in IN_APP for path in sorted(module.directory.glob("*-rules.pro"))]

    def shrink(directory: Path) -> None:
        jars = []
        parts = {module.name: path for module, path in zip(IN_APP, classes, strict=True)}
        for name, source in (parts | {"r": resources.r_classes}).items():
            jars.append(directory / f"{name}.jar")
            run(java_home() / "bin" / "jar", "--create", "--file", jars[-1], "-C", source, ".")
        rules = [resources.rules, *own_rules, *libraries.rules]
        java(
            fetch("r8"),
            "com.android.tools.r8.R8",
            *(
                "--release",
                "--min-api",
                str(minimum),
                "--output",
                directory,
                "--pg-map-output",
                directory / _MAPPING,
            ),
            *("--map-diagnostics:ProguardRuleDoesNotMatchAnything", "info", "none"),
            # Android's own java.* is not in Robolectric's jar: the JDK's stands for it, and check-api compares.
            *("--lib", platform(), "--lib", java_home()),
            *(word for path in rules for word in ("--pg-conf", path)),
            *(*jars, *libraries.classpath),
            # One core for collection and the quick compiler alone: R8 runs too briefly to earn more.
            options=("-Xmx6g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        )
        for jar in jars:
            jar.unlink()

    inputs: list[Path | str] = [
        *classes,
        resources.r_classes.parent,
        libraries.directory,
        *own_rules,
        str(minimum),
        fetch("r8")[0].name,
    ]
    return made("dex", [*inputs, Path(__file__)], shrink)
