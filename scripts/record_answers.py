"""
Ask a real server what the tests expect: ``record_answers.py URL TOKEN``.

Posts the samples and ``refused.yaml`` in dry run, tries ``updates.yaml``, and writes its answers beside them, so that
unit tests compare with Kubernetes itself. Everything it creates is removed again.
"""

from __future__ import annotations

import base64
import copy
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from generate_kinds import write
from probe_kinds import TABLE, Server, collection
from probe_samples import SAMPLES

from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.record import Resource

FOLDER = Path(__file__).parent.parent / "tests/unit/control_plane/kinds/testdata"
_PROTOBUF = "application/vnd.kubernetes.protobuf"
# Differs from run to run, or is given out by controllers and admission that the kinds do not know.
_SERVER_SET = ("uid", "creationTimestamp", "managedFields", "resourceVersion")
_RESOURCES = {(one.group, one.versions[0].name, one.kind): one for one in builtin_resources("cluster") if one.versions}


def resource_of(obj: dict[str, Any]) -> Resource | None:
    """Return the record of an object's kind."""
    group, _, version = obj["apiVersion"].rpartition("/")
    return _RESOURCES.get((group, version, obj["kind"]))


def path_of(resource: Resource) -> str:
    """Return the path of its collection."""
    named = {"plural": resource.plural, "namespaced": resource.namespaced}
    return collection(resource.group, resource.versions[0].name, named)


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of an answer: the causes of a refusal, else the object."""
    if body["kind"] != "Status":
        for field in _SERVER_SET:
            body["metadata"].pop(field, None)
        return {"object": body}
    causes = body.get("details", {}).get("causes", [])
    return {"code": body["code"], "message": body["message"], "causes": causes}


def posted(server: Server, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each object with the answer to creating it."""
    found = []
    for obj in objects:
        resource = resource_of(obj)
        if resource is None:
            continue
        body = server.call("POST", path_of(resource) + "?dryRun=All", obj)
        found.append({"sent": copy.deepcopy(obj), **answer(body)})
    return found


def updated(server: Server, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each change with the answer to it."""
    found = []
    for change in changes:
        resource = resource_of(change["object"])
        assert resource is not None
        before = server.call("POST", path_of(resource), change["object"])
        path = f"{path_of(resource)}/{before['metadata']['name']}"
        body = server.call("PATCH", path, change["patch"], content_type="application/merge-patch+json")
        server.call("DELETE", path + "?gracePeriodSeconds=0&propagationPolicy=Background")
        found.append({**change, **answer(body)})
    return found


def tables(server: Server) -> list[dict[str, Any]]:
    """Return objects with a status as the server's tables show them: columns, cells, and the time."""
    found = []
    for obj in yaml.safe_load_all((FOLDER / "shown.yaml").read_text()):
        resource = resource_of(obj)
        assert resource is not None
        path = f"{path_of(resource)}/{obj['metadata']['name']}"
        server.call("POST", path_of(resource), obj)
        if "status" in obj:
            patch = {"status": obj["status"]}
            server.call("PATCH", path + "/status", patch, content_type="application/merge-patch+json")
        if obj["metadata"].get("finalizers"):
            server.call("DELETE", path)
        shown = server.call("GET", path + "?includeObject=Object", accept=TABLE)
        server.call("PATCH", path, {"metadata": {"finalizers": None}}, content_type="application/merge-patch+json")
        server.call("DELETE", path + "?gracePeriodSeconds=0&propagationPolicy=Background")
        row = shown["rows"][0]
        columns = [column["name"] for column in shown["columnDefinitions"]]
        row["object"]["metadata"].pop("managedFields", None)
        found.append({"now": time.time(), "columns": columns, **row})
    return found


def encoded(server: Server) -> list[dict[str, Any]]:
    """Return some objects as the server encodes them in protobuf, in base64, beside their JSON."""
    found = []
    for obj in SAMPLES:
        resource = resource_of(obj)
        if resource is None or resource.group == "apiregistration.k8s.io":
            continue
        path = path_of(resource) + "?dryRun=All"
        raw = server.raw("POST", path, obj, _PROTOBUF)
        body = server.call("POST", path, obj)
        found.append({"body": base64.b64encode(raw).decode(), **answer(body)})
    return found


def main(url: str, token: str) -> None:
    """Write ``created.json``, ``refused.json``, ``updates.json`` and ``protobuf.json``, ``shown.json``."""
    server = Server(url, token)
    server.call("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    write(FOLDER / "created.json", posted(server, SAMPLES))
    write(FOLDER / "refused.json", posted(server, list(yaml.safe_load_all((FOLDER / "refused.yaml").read_text()))))
    write(FOLDER / "updates.json", updated(server, yaml.safe_load((FOLDER / "updates.yaml").read_text())))
    write(FOLDER / "shown.json", tables(server))
    write(FOLDER / "protobuf.json", encoded(server))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
