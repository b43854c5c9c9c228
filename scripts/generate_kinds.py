"""
Write what is known of the built-in kinds as data: ``generate_kinds.py MODULE [OUTPUT]``.

MODULE is the folder of the Go module ``k8s.io/kubernetes`` in the module cache. What OpenAPI does not say (defaults,
columns) comes from a running server: see ``probe_kinds.py``, whose files this script only records in the manifest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from kube_internal import ROOTS, InternalTypes
from kube_openapi import definitions, resources
from kube_types import GoTypes, packages_of

OUTPUT = Path(__file__).parent.parent / "control-plane/fairlead_control_plane/kinds/data"
# Bodies that clients send in protobuf although no resource is called after them.
_EXTRA = ("DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "List", "Status")


def write(path: Path, value: Any) -> None:
    """Write JSON with one top-level entry a line: small diffs, the same bytes for the same facts."""

    def dump(item: Any) -> str:
        return json.dumps(item, separators=(",", ":"), sort_keys=False, ensure_ascii=False)

    if isinstance(value, dict):
        lines = [f"{dump(key)}:{dump(item)}" for key, item in value.items()]
        text = "{\n" + ",\n".join(lines) + "\n}\n"
    else:
        text = "[\n" + ",\n".join(dump(item) for item in value) + "\n]\n"
    path.write_text(text)


def manifest(output: Path, version: str) -> None:
    """Record the Kubernetes version and the digest of every data file, so that a hand edit is noticed."""
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.glob("*.json"))
        if path.name != "manifest.json"
    }
    write(output / "manifest.json", {"kubernetes": version, **files})


def main(module: Path, output: Path) -> None:
    """Write ``definitions.json``, ``resources.json``, ``types.json``, ``internal.json`` and ``manifest.json``."""
    version = module.name.partition("@")[2]
    output.mkdir(parents=True, exist_ok=True)
    schemas = definitions(module)
    write(output / "definitions.json", schemas)
    write(output / "resources.json", resources(module))
    staging = "v0" + version.removeprefix("v1")
    types = GoTypes(packages_of(module.parent.parent, staging, schemas))
    roots = [name for name, schema in schemas.items() if "x-kubernetes-group-version-kind" in schema]
    roots += [f"io.k8s.apimachinery.pkg.apis.meta.v1.{name}" for name in _EXTRA]
    write(output / "types.json", types.table(roots))
    write(output / "internal.json", InternalTypes(module, staging).table(ROOTS))
    manifest(output, version)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUTPUT)
