"""
Ask a running Kubernetes server for what no document says: ``probe_kinds.py URL TOKEN [OUTPUT]``.

Writes ``columns.json`` (the printer columns of every resource, without their descriptions) and ``defaults.json`` (the
defaults of every field, found by creating the samples in dry run and comparing). A field whose default depends on
other fields shows more than one value and is left to the strategies; the script names those on standard error.
"""

from __future__ import annotations

import json
import ssl
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from generate_kinds import OUTPUT, manifest, write
from probe_samples import SAMPLES

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PREFIX = "#/components/schemas/"
# What the server decides anew for each object is no default.
_SKIPPED = {"metadata", "status", "clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort"}

# Defaults that follow from other fields or from the kind around them; the strategies know them.
_DEPENDENT = {
    "apps.v1.DaemonSetSpec.updateStrategy", "apps.v1.DeploymentSpec.strategy", "apps.v1.StatefulSetSpec.updateStrategy",
    "core.v1.Container.imagePullPolicy", "core.v1.ImageVolumeSource.pullPolicy", "core.v1.LimitRangeItem.default",
    "core.v1.LimitRangeItem.defaultRequest", "core.v1.Namespace.spec", "core.v1.Node.spec",
    "core.v1.PersistentVolumeClaim.apiVersion", "core.v1.PersistentVolumeClaim.kind", "core.v1.ServicePort.targetPort",
    "core.v1.ServiceSpec.internalTrafficPolicy", "core.v1.ServiceSpec.ipFamilies", "core.v1.ServiceSpec.ipFamilyPolicy",
    "networking.v1.NetworkPolicySpec.policyTypes",
    "apiextensions.v1.CustomResourceDefinitionNames.listKind",
    "apiextensions.v1.CustomResourceDefinitionNames.singular",
}  # fmt: skip


class Server:
    """A test server; its certificate is not checked, since it lives as long as this run."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        accept: str = "application/json",
        *,
        content_type: str = "application/json",
    ) -> Any:
        """Return the decoded answer, an error's ``Status`` included."""
        text = self.raw(method, path, body, accept, content_type=content_type)
        return json.loads(text) if text.startswith(b"{") else {"kind": "Status", "message": text.decode()}

    def raw(self, method: str, path: str, body: Any, accept: str, *, content_type: str = "application/json") -> bytes:
        """Return the answer's body, whatever its status."""
        request = urllib.request.Request(self._url + path, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Accept", accept)
        request.add_header("Content-Type", content_type)
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, context=self._tls) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            return error.read()


def collection(group: str, version: str, resource: dict[str, Any], namespace: str = "default") -> str:
    """Return the path of a resource's collection."""
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return (
        f"{root}/namespaces/{namespace}/{resource['plural']}"
        if resource["namespaced"]
        else f"{root}/{resource['plural']}"
    )


def columns(server: Server, served: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``group/version/plural`` to its columns ``[name, type, format, priority]``."""
    found: dict[str, Any] = {}
    for listed in served:
        group, version = listed["group"], listed["version"]
        for resource in listed["resources"]:
            if "list" not in resource["verbs"]:
                continue
            table = server.call("GET", collection(group, version, resource), accept=TABLE)
            if "columnDefinitions" in table:
                found[f"{group}/{version}/{resource['plural']}"] = [
                    [column["name"], column["type"], column["format"], column["priority"]]
                    for column in table["columnDefinitions"]
                ]
    return dict(sorted(found.items()))


class Defaults:
    """Collects what a server added, by the definition and field it was added to."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self.seen: dict[str, dict[str, list[Any]]] = {}

    def compare(self, definition: str, before: Any, after: Any) -> None:
        """Walk an object of a definition; a field that appeared holds its default."""
        properties = self._definitions[definition].get("properties", {})
        for field, child in properties.items():
            if field in _SKIPPED:
                continue
            if field not in before:
                values = self.seen.setdefault(definition, {}).setdefault(field, [])
                if (value := after.get(field)) not in values:
                    values.append(value)
            elif field in after:
                self._descend(child, before[field], after[field])

    def _descend(self, schema: dict[str, Any], before: Any, after: Any) -> None:
        reference = schema.get("$ref", "").removeprefix(_PREFIX)
        if reference and isinstance(after, dict) and "properties" in self._definitions[reference]:
            self.compare(reference, before, after)
        elif isinstance(after, list) and isinstance(before, list) and "items" in schema:
            for old, new in zip(before, after, strict=False):
                self._descend(schema["items"], old, new)
        elif isinstance(after, dict) and "additionalProperties" in schema:
            for key, value in after.items():
                if key in before:
                    self._descend(schema["additionalProperties"], before[key], value)


def defaults(server: Server, served: list[dict[str, Any]], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return definition to field to default, for the fields that showed one value only."""
    by_kind = {
        (listed["group"], listed["version"], resource["kind"]): resource
        for listed in served
        for resource in listed["resources"]
        if "create" in resource["verbs"]
    }
    names = {
        (kind["group"], kind["version"], kind["kind"]): name
        for name, schema in definitions.items()
        for kind in schema.get("x-kubernetes-group-version-kind", ())
    }
    found = Defaults(definitions)
    for sample in SAMPLES:
        group, _, version = sample["apiVersion"].rpartition("/")
        key = (group, version, sample["kind"])
        answer = server.call("POST", collection(group, version, by_kind[key]) + "?dryRun=All", sample)
        if answer["kind"] == "Status":
            sys.stderr.write(f"{key}: {answer['message']}\n")
            continue
        found.compare(names[key], sample, answer)
    result: dict[str, Any] = {}
    for name, fields in sorted(found.seen.items()):
        for field, values in sorted(fields.items()):
            if len(values) > 1:
                sys.stderr.write(f"{name}.{field} depends: {json.dumps(values)[:300]}\n")
            elif values[0] is not None and f"{'.'.join(name.split('.')[-3:])}.{field}" not in _DEPENDENT:
                result.setdefault(name, {})[field] = values[0]
    return result


def main(url: str, token: str, output: Path) -> None:
    """Write both files and bring the manifest up to date."""
    server = Server(url, token)
    served = json.loads((output / "resources.json").read_text())
    definitions = json.loads((output / "definitions.json").read_text())
    write(output / "columns.json", columns(server, served))
    write(output / "defaults.json", defaults(server, served, definitions))
    manifest(output, server.call("GET", "/version")["gitVersion"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]) if len(sys.argv) > 3 else OUTPUT)
