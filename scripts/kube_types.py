"""
Read the Go structs of the built-in API types: field numbers, pointers and empty-value rules.

The field numbers decode protobuf bodies; what is a pointer and what says ``omitempty`` decides which empty values
survive a round trip through the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_STRUCT = re.compile(r"^type (\w+) struct ?\{(?:\n(.*?)^)?\}", re.MULTILINE | re.DOTALL)
_ALIAS = re.compile(r"^type (\w+) (?:= )?([\w.\[\]*]+)(?: *//.*)?$", re.MULTILINE)
_FIELD = re.compile(r"^\t(?:(\w+)[ \t]+)?([*\[\]\w.]+)[ \t]+`([^`]*)`", re.MULTILINE)
_IMPORT = re.compile(r'^(?:\t|import )(?:(\w+) )?"([\w./-]+)"$', re.MULTILINE)
_TAG = re.compile(r'(\w+):"([^"]*)"')
_SCALARS = {
    "string": "string",
    "bool": "bool",
    "int32": "int",
    "int64": "int",
    "int": "int",
    "float64": "double",
    "[]byte": "bytes",
    "byte": "byte",
    "uint8": "byte",
}
_SPECIAL = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": "duration",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "raw",
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "raw",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "raw",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "schema-or-array",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "schema-or-bool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "schema-or-strings",
}


class GoTypes:
    """The structs and named types of some Go packages, each package known by its OpenAPI prefix."""

    def __init__(self, packages: Iterable[tuple[str, str, Path]]) -> None:
        """Take triples of import path, OpenAPI prefix (``io.k8s.api.core.v1``) and folder."""
        self._prefix_of: dict[str, str] = {}
        self._structs: dict[str, tuple[str, dict[str, str]]] = {}
        self._aliases: dict[str, tuple[str, dict[str, str]]] = {}
        listed = list(packages)
        for import_path, prefix, _ in listed:
            self._prefix_of[import_path] = prefix
        for _, prefix, folder in listed:
            for path in sorted(folder.glob("*.go")):
                if not path.name.endswith("_test.go") and not path.name.startswith(("zz_", "generated")):
                    self._read(prefix, path.read_text())

    def _read(self, prefix: str, source: str) -> None:
        imports = {match[1] or match[2].rsplit("/", 1)[-1]: match[2] for match in _IMPORT.finditer(source)}
        for match in _STRUCT.finditer(source):
            self._structs[f"{prefix}.{match[1]}"] = (match[2] or "", imports)
        for match in _ALIAS.finditer(source):
            self._aliases[f"{prefix}.{match[1]}"] = (match[2], imports)

    def table(self, names: Iterable[str]) -> dict[str, list[list[Any]]]:
        """
        Return the fields of the named types and of all they reach, ``[number, json name, type, shape, keeps empty]``.

        ``type`` is a scalar (``string bool int double bytes``), a special form (``time quantity raw ...``) or a type's
        name; ``shape`` is ``one``, ``pointer``, ``list``, ``map`` or ``inline``; ``keeps empty``
        is true without ``omitempty``.
        """
        todo, done = list(names), dict[str, list[list[Any]]]()
        while todo:
            name = todo.pop()
            if name in done or name not in self._structs:
                continue
            done[name] = self._fields(name)
            todo.extend(field[2] for field in done[name] if field[2] not in done)
        return dict(sorted(done.items()))

    def _fields(self, name: str) -> list[list[Any]]:
        body, imports = self._structs[name]
        prefix = name.rsplit(".", 1)[0]
        fields = []
        for match in _FIELD.finditer(body):
            tags = dict(_TAG.findall(match[3]))
            json_name, _, options = tags.get("json", "").partition(",")
            if "protobuf" not in tags or json_name == "-":
                continue
            number = int(tags["protobuf"].split(",")[1])
            kind, shape = self._resolve(match[2], prefix, imports)
            if not json_name:
                shape = "inline"
            empty = "omitempty" not in options
            fields.append([number, json_name, kind, shape, empty] + (["omitzero"] if "omitzero" in options else []))
        return sorted(fields)

    def _resolve(  # noqa: PLR0911 - one return a form of type
        self, text: str, prefix: str, imports: dict[str, str]
    ) -> tuple[str, str]:
        """Return the type's name and shape; named strings, lists and maps are followed to what they stand for."""
        if text in _SCALARS:
            return _SCALARS[text], "one"
        if text.startswith("*"):
            return self._resolve(text[1:], prefix, imports)[0], "pointer"
        if text.startswith("[]"):
            kind, shape = self._resolve(text[2:], prefix, imports)
            return (f"list:{kind}", "list") if shape == "list" else (kind, "list")
        if text.startswith("map["):
            kind, shape = self._resolve(text[text.index("]") + 1 :], prefix, imports)
            return (f"list:{kind}", "map") if shape == "list" else (kind, "map")
        package, _, local = text.rpartition(".")
        if package:
            prefix = self._prefix_of.get(imports.get(package, ""), "")
        full = f"{prefix}.{local}"
        if full in _SPECIAL:
            return _SPECIAL[full], "one"
        if full in self._aliases:
            target, its_imports = self._aliases[full]
            return self._resolve(target, prefix, its_imports)
        if full in self._structs:
            return full, "one"
        if not prefix:  # k8s.io/apimachinery/pkg/types: UID, NodeName and the like are strings
            return "string", "one"
        raise ValueError(f"no Go type {text} ({full})")


def packages_of(cache: Path, version: str, names: Iterable[str]) -> list[tuple[str, str, Path]]:
    """
    Return the Go packages behind OpenAPI names.

    Args:
        cache: ``GOMODCACHE``.
        version: Of the staging modules, ``v0.36.3``.
        names: OpenAPI names; ``io.k8s.api.core.v1.Pod`` lies in ``k8s.io/api/core/v1``.
    """
    prefixes = sorted({name.rsplit(".", 1)[0] for name in names})
    result = []
    for prefix in prefixes:
        module, _, rest = prefix.removeprefix("io.k8s.").partition(".")
        folder = cache / "k8s.io" / f"{module}@{version}" / rest.replace(".", "/")
        result.append((f"k8s.io/{module}/{rest.replace('.', '/')}", prefix, folder))
    return result
