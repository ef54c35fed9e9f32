"""Bills of materials: what a bundle or a package was made of, as CycloneDX 1.6 in JSON.

The same parts give the same bytes: no time is told, and the serial number is made from the content. Purls are those of
the package-url specification; hashes are of the file that is named, so that a checkpoint, whose digest is of its
content and of no file, has a property instead.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

from edgekit.bundle.adapter.manifest import AdapterManifest
from edgekit.bundle.manifest import Manifest
from edgekit.files.digest import file_digest
from edgekit.quoting import json_text

Kind = Literal["application", "library", "machine-learning-model", "data", "file"]

ENGINE_LICENCE: Final = "Apache-2.0"
_SPDX: Final = (
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MPL-2.0",
    "PSF-2.0",
    "HPND",
)
_EXPRESSION: Final = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)+")
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "edgekit")


@dataclass(frozen=True)
class Part:
    """Something that a thing is made of.

    purl: None where there is no package of it. licence: an SPDX id or expression, else a name. sha256: of its
    file, or of each file that it comes in. properties: what CycloneDX has no field for; names begin with "edgekit:".
    incomplete: it holds others of which its maker says nothing.
    """

    kind: Kind
    name: str
    version: str | None = None
    group: str | None = None
    purl: str | None = None
    licence: str | None = None
    sha256: str | tuple[str, ...] | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    incomplete: bool = False


def pypi(
    name: str, at: str, *, licence: str | None = None, sha256: str | tuple[str, ...] | None = None
) -> Part:
    """A Python distribution."""
    return Part(
        "library", name, at, purl=f"pkg:pypi/{normalized(name)}@{quote(at)}", licence=licence, sha256=sha256
    )


def normalized(name: str) -> str:
    """A distribution's name as indexes and purls have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def maven(group: str, name: str, at: str, kind: str, licence: str | None, sha256: str | None) -> Part:
    """A Maven artifact. kind: its type, such as aar."""
    purl = f"pkg:maven/{group}/{name}@{at}?type={kind}"
    return Part("library", name, at, group=group, purl=purl, licence=licence, sha256=sha256)


def bill(subject: Part, parts: Sequence[Part], tools: Mapping[str, str] | None = None) -> bytes:
    """Return the document. tools: versions of what made the subject, by distribution; this edgekit without."""
    made_by = {"edgekit": version("edgekit")} if tools is None else tools
    each = {_ref(part): part for part in parts}
    said: dict[str, Any] = {
        "metadata": {
            "tools": {"components": [_tool(name, made_by[name]) for name in sorted(made_by)]},
            "component": _component(subject),
        },
        "components": [_component(each[ref]) for ref in sorted(each)],
        "dependencies": [
            {"ref": _ref(subject), "dependsOn": sorted(each)},
            *({"ref": ref} for ref in sorted(each)),
        ],
    }
    if unknown := sorted(ref for ref, part in each.items() if part.incomplete):
        said["compositions"] = [{"aggregate": "incomplete", "assemblies": unknown}]
    content = json.dumps(said, sort_keys=True)
    return json_text(
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}",
            "version": 1,
            **said,
        }
    ).encode()


def _tool(name: str, at: str) -> dict[str, Any]:
    """What made the subject, without a reference: it may be among the parts as well."""
    return {key: value for key, value in _component(pypi(name, at)).items() if key != "bom-ref"}


def _ref(part: Part) -> str:
    """What tells a part from the others: its purl, and its file where a package has several."""
    known = part.purl or f"{part.kind}:{part.name}@{part.version or ''}"
    return f"{known}#{part.name}" if part.kind == "file" else known


def _component(part: Part) -> dict[str, Any]:
    values: dict[str, Any] = {
        "type": part.kind,
        "bom-ref": _ref(part),
        "group": part.group,
        "name": part.name,
    }
    values |= {"version": part.version, "purl": part.purl}
    if part.sha256 is not None:
        each = (part.sha256,) if isinstance(part.sha256, str) else part.sha256
        values["hashes"] = [{"alg": "SHA-256", "content": digest} for digest in each]
    if part.licence is not None:
        values["licenses"] = [_licence(part.licence)]
    if part.properties:
        values["properties"] = [
            {"name": name, "value": text} for name, text in sorted(part.properties.items())
        ]
    return {name: value for name, value in values.items() if value is not None}


def _licence(text: str) -> dict[str, Any]:
    if text in _SPDX:
        return {"license": {"id": text}}
    return {"expression": text} if _EXPRESSION.fullmatch(text) else {"license": {"name": text}}


# ---------------------------------------- bundles


def model_part(manifest: Manifest) -> Part:
    """A bundle's model."""
    model, use = manifest.model, manifest.architecture
    return Part(
        "machine-learning-model",
        Path(model.file).stem,
        model.sha256[:12],
        licence=manifest.licence,
        sha256=model.sha256,
        properties={
            "edgekit:file": model.file,
            "edgekit:recipe": manifest.recipe.name,
            "edgekit:family": use.family,
            "edgekit:minimum-runtime": manifest.minimum_runtime,
        },
    )


def packaged_part(manifest: Manifest) -> Part:
    """What is written of a bundle that becomes no app by itself."""
    return Part("data", f"{Path(manifest.model.file).stem}, packaged", manifest.model.sha256[:12])


def bundle_parts(manifest: Manifest, adapters: Mapping[str, AdapterManifest]) -> tuple[Part, ...]:
    """What a bundle was made of, and its adapters. adapters: by their folder."""
    parts = [_checkpoint(manifest.source.name, manifest.source.digest, manifest.licence)]
    if manifest.source.base is not None:
        parts.append(_base(manifest.source.base))
    if manifest.adapters is not None:
        empty = manifest.adapters.empty
        parts.append(Part("data", empty.file, empty.sha256[:12], sha256=empty.sha256))
    for folder, adapter in adapters.items():
        sidecar = adapter.sidecar
        parts += [
            Part(
                "machine-learning-model",
                adapter.name,
                sidecar.sha256[:12],
                licence=adapter.licence,
                sha256=sidecar.sha256,
                properties={"edgekit:file": f"adapters/{folder}/{sidecar.file}"},
            ),
            _checkpoint(adapter.source.name, adapter.source.digest, adapter.licence),
        ]
    return tuple(parts)


def bundle_bill(manifest: Manifest, adapters: Mapping[str, AdapterManifest]) -> bytes:
    """The bill of a bundle with its adapters; its tools are those of its manifest."""
    return bill(model_part(manifest), bundle_parts(manifest, adapters), manifest.tools)


def _checkpoint(name: str, digest: str, licence: str | None) -> Part:
    return Part(
        "machine-learning-model",
        name,
        digest[:12],
        licence=licence,
        properties={"edgekit:content-sha256": digest},
    )


def _base(name: str) -> Part:
    """A base model; with an owner before its name it is on the Hugging Face Hub."""
    purl = f"pkg:huggingface/{quote(name)}" if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None
    return Part("machine-learning-model", name, purl=purl)


# ---------------------------------------- apps


def engine_parts(at: str, libraries: Mapping[str, Path]) -> tuple[Part, ...]:
    """The engine, with its library for each ABI. Its wheel says nothing of what is linked into it."""
    engine = pypi("litert-lm-api", at, licence=ENGINE_LICENCE)
    return (
        replace(engine, incomplete=True),
        *(
            Part("file", f"lib/{abi}/{path.name}", at, purl=engine.purl, sha256=file_digest(path))
            for abi, path in sorted(libraries.items())
        ),
    )
