"""Fetches pinned artifacts through Maven, exactly those that a file of coordinates lists.

AndroidX poms name hard version ranges that not every repository meets, so nothing is resolved: each list is complete.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from android_build.layout import CACHE, COORDINATES
from android_build.process import BuildError, run, tool

_PLUGIN: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dev.edgekit</groupId><artifactId>toolchain</artifactId><version>1</version><packaging>pom</packaging>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>
    <configuration>
      <outputDirectory>{directory}</outputDirectory><prependGroupId>true</prependGroupId>
      <artifactItems>{items}</artifactItems>
    </configuration>
  </plugin></plugins></build>
</project>
"""
_ITEM: Final = (
    "<artifactItem><groupId>{0.group}</groupId><artifactId>{0.name}</artifactId>"
    "<version>{0.version}</version><type>{0.type}</type></artifactItem>"
)


@dataclass(frozen=True, order=True)
class Artifact:
    """A file in a Maven repository. type: also its file name's extension, such as jar, aar or pom."""

    group: str
    name: str
    version: str
    type: str

    @property
    def file_name(self) -> str:
        """The file's name here: artifacts of different groups may have the same name."""
        return f"{self.group}.{self.name}-{self.version}.{self.type}"


def listed(use: str) -> list[Artifact]:
    """Read `coordinates/<use>.txt`: one `group:name:version:type` a line, lines with # are comments."""
    path = COORDINATES / f"{use}.txt"
    artifacts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            parts = line.strip().split(":")
            if len(parts) != 4:
                raise BuildError(f"{path.name}, line {number}: not group:name:version:type: {line}")
            artifacts.append(Artifact(*parts))
    return artifacts


def fetch(use: str) -> list[Path]:
    """Return the files of `coordinates/<use>.txt`, in its order; they are downloaded at their first use."""
    return fetch_artifacts(use, listed(use))


def fetch_artifacts(use: str, artifacts: Sequence[Artifact]) -> list[Path]:
    """Return the artifacts' files in the cache, under a directory that belongs to exactly this list."""
    names = "\n".join(artifact.file_name for artifact in artifacts)
    directory = CACHE / f"{use}-{hashlib.sha256(names.encode()).hexdigest()[:16]}"
    if not directory.is_dir():
        print(f"  fetching {len(artifacts)} artifacts for {use}", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=CACHE) as name:
            files, pom = Path(name) / "files", Path(name) / "pom.xml"
            items = "".join(_ITEM.format(artifact) for artifact in artifacts)
            pom.write_text(_POM.format(directory=files, items=items), encoding="utf-8")
            run(tool("mvn"), "-q", "-B", "-f", pom, _PLUGIN)
            try:
                files.rename(directory)
            except OSError:  # another build was faster
                if not directory.is_dir():
                    raise
    return [directory / artifact.file_name for artifact in artifacts]
