"""Built-in kinds against a real server's answers to the same objects (``testdata``, scripts/record_answers.py)."""

from __future__ import annotations

import base64
import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause, Invalid
from fairlead_api.request import SYSTEM
from fairlead_control_plane.kinds import protobuf
from fairlead_control_plane.kinds.builtin import builtin_resources
from fairlead_control_plane.kinds.record import Resource, Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import validate_metadata, validate_metadata_update
from fairlead_control_plane.kinds.table import table

_FOLDER = Path(__file__).parent / "testdata"
_UID = "00000000-0000-4000-8000-000000000001"
_SOME_UID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RESOURCES = {(one.group, one.versions[0].name, one.kind): one for one in builtin_resources("cluster")}
# What admission, controllers and allocators add, none of which is a kind's own doing.
_ADDED = {
    "Pod": {"spec.priority", "spec.preemptionPolicy", "spec.tolerations"},
    "PersistentVolume": {"metadata.finalizers", "status.lastPhaseTransitionTime"},
    "PersistentVolumeClaim": {"metadata.finalizers"},
    "VolumeAttributesClass": {"metadata.finalizers"},
    "Service": {"spec.clusterIP", "spec.clusterIPs", "spec.ports.0.nodePort"},
    "Node": {"spec.taints"},
    "TokenReview": {"status.error"},
}


def _recorded(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((_FOLDER / name).read_text())
    return found


def _resource(obj: dict[str, Any]) -> Resource:
    group, _, version = obj["apiVersion"].rpartition("/")
    return _RESOURCES[group, version, obj["kind"]]


def _created(sent: dict[str, Any]) -> tuple[dict[str, Any], list[Cause], str | None]:
    """Return the object as the registry makes it, what is wrong with it, and why it cannot be decoded."""
    obj = json.loads(json.dumps(sent))
    obj["metadata"].setdefault("uid", _UID)
    resource = _resource(obj)
    schema = resource.versions[0].schema()
    if problem := schema.typed_errors(obj):
        return obj, [], problem
    schema.prune(obj)
    schema.default(obj)
    strategy = resource.strategy
    if strategy.prepare_create:
        strategy.prepare_create(obj)
    try:
        if strategy.sign:
            strategy.sign(obj, Writer(SYSTEM, "2024-01-02T03:04:05Z"))
        if strategy.settle:
            strategy.settle(obj, None)
        causes = validate_metadata(obj, namespaced=resource.namespaced, validate_name=strategy.validate_name)
        causes += strategy.validate(obj) if strategy.validate else ()
    except Invalid as error:
        return obj, list(error.causes), None
    return obj, causes, None


def _differences(ours: Any, real: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    if isinstance(ours, dict) and isinstance(real, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in {*ours, *real}:
            inner = f"{path}.{key}" if path else key
            found |= _differences(ours.get(key, "absent"), real.get(key, "absent"), inner)
        return found
    if isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real):
        merged: dict[str, tuple[Any, Any]] = {}
        for index, pair in enumerate(zip(ours, real, strict=True)):
            merged |= _differences(*pair, f"{path}.{index}")
        return merged
    return {} if ours == real else {path: (ours, real)}


def _cases(name: str, wanted: str = "") -> list[Any]:
    """Return the recorded answers that have ``wanted``, each under a name of its own."""
    entries = [one for one in _recorded(name) if not wanted or one.get(wanted)]
    kinds = [(one.get("sent") or one.get("object") or {}).get("kind") for one in entries]
    return [
        pytest.param(one, id=f"{index}-{kind}") for index, (one, kind) in enumerate(zip(entries, kinds, strict=True))
    ]


@pytest.mark.parametrize("entry", _cases("created.json", "object"))
def test_created_objects_look_as_in_kubernetes(entry: dict[str, Any]) -> None:
    """Defaults, dropped empties and server-set fields are Kubernetes', save for what admission adds."""
    obj, causes, problem = _created(entry["sent"])
    assert (causes, problem) == ([], None)
    # Jobs are made known to their pods by their uid.
    real = json.loads(_SOME_UID.sub(_UID, json.dumps(entry["object"])))
    real["metadata"].pop("generation", None)
    obj["metadata"].pop("uid")
    found = _differences(obj, real)
    assert {path: pair for path, pair in found.items() if path not in _ADDED.get(obj["kind"], set())} == {}


@pytest.mark.parametrize("entry", _cases("refused.json", "causes"))
def test_refusals_name_the_same_causes(entry: dict[str, Any]) -> None:
    """Reason, message and field of every cause are Kubernetes'."""
    _, causes, problem = _created(entry["sent"])
    assert problem is None
    ours = sorted((cause.field, cause.reason, cause.message) for cause in causes)
    assert ours == sorted((one.get("field", ""), one["reason"], one["message"]) for one in entry["causes"])


def test_wrong_types_are_worded_as_the_decoder_does() -> None:
    """A value of the wrong Go type is a bad request with the decoder's text."""
    entry = next(one for one in _recorded("refused.json") if one.get("code") == 400)
    _, _, problem = _created(entry["sent"])
    assert problem
    assert problem in entry["message"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (
            {"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"name": "v", "hostPath": {"path": []}}]}},
            "HostPathVolumeSource.spec.volumes.VolumeSource.hostPath.path",
        ),
        (
            {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": [{"host": "a", "http": []}]}},
            "IngressRule.spec.rules.IngressRuleValue.http",
        ),
        (
            {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"livenessProbe": {"periodSeconds": "1"}}]}},
            "Probe.spec.containers.livenessProbe.periodSeconds",
        ),
    ],
)
def test_structs_within_structs_are_in_the_path(sent: dict[str, Any], field: str) -> None:
    """Go names an embedded struct, though JSON does not."""
    _, _, problem = _created({**sent, "metadata": {"name": "a"}})
    assert f"Go struct field {field} of type" in str(problem)


@pytest.mark.parametrize("entry", _cases("updates.json"))
def test_updates_are_refused_for_the_same_causes(entry: dict[str, Any]) -> None:
    """Immutable fields and forbidden changes are Kubernetes'."""
    old, _, _ = _created(entry["object"])
    old["metadata"]["resourceVersion"] = "1"
    new = _merged(copy.deepcopy(old), entry["patch"])
    resource = _resource(old)
    strategy = resource.strategy
    assert strategy.prepare_update is not None
    resource.versions[0].schema().default(new)
    strategy.prepare_update(new, old)
    if strategy.settle:
        strategy.settle(new, old)
    causes = validate_metadata_update(new, old)
    if strategy.validate_change:
        causes += strategy.validate_change(new, old)
    else:
        causes += strategy.validate(new) if strategy.validate else ()
        causes += strategy.validate_update(new, old) if strategy.validate_update else ()
    ours = sorted({(cause.field, cause.reason, cause.message.split("\n")[0]) for cause in causes})
    real = {(one.get("field", ""), one["reason"], one["message"].split("\n")[0]) for one in entry["causes"]}
    assert ours == sorted(real)


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    for key, value in patch.items():
        target[key] = _merged(target.get(key), value)
    return target


@pytest.mark.parametrize("entry", _cases("protobuf.json", "object"))
def test_protobuf_bodies_decode_to_the_same_object(entry: dict[str, Any]) -> None:
    """What a server encodes in protobuf decodes to what it shows as JSON."""
    decoded = protobuf.decode(base64.b64decode(entry["body"]))
    normalise(decoded)
    for field in ("uid", "creationTimestamp", "managedFields", "resourceVersion"):
        decoded["metadata"].pop(field, None)
    found = _differences(decoded, entry["object"])
    # Null times and the inner apiVersion are added on encoding JSON; addresses, ports and uids were given out anew.
    known = ("Timestamp", "eventTime", ".apiVersion", ".kind", "clusterIP", "nodePort", "controller-uid", "lastPhase")
    assert {path: pair for path, pair in found.items() if not any(one in path for one in known)} == {}


def test_listed_message_joins_the_causes() -> None:
    """A 422 shows one cause bare and several in brackets."""
    cause = wrong.required("spec.a")
    assert wrong.listed([cause]) == "spec.a: Required value"
    assert wrong.listed([cause, wrong.required("spec.b")]) == "[spec.a: Required value, spec.b: Required value]"


@pytest.mark.parametrize("entry", _cases("shown.json", "cells"))
def test_tables_show_what_kubernetes_shows(entry: dict[str, Any]) -> None:
    """Every cell of a built-in kind is the one a real server prints, ages aside."""
    obj = entry["object"]
    resource = _resource(obj)
    shown = table(resource, resource.versions[0], [obj], "None", now=entry["now"])
    assert [column["name"] for column in shown["columnDefinitions"]] == entry["columns"]
    row = shown["rows"][0]
    # The age of an object made a moment ago depends on the second in which it was asked for.
    pairs = zip(entry["columns"], row["cells"], entry["cells"], strict=True)
    assert {name: (ours, real) for name, ours, real in pairs if name != "Age" and ours != real} == {}
    conditions = [{key: value for key, value in one.items() if value} for one in entry.get("conditions") or ()]
    assert [{key: value for key, value in one.items() if value} for one in row.get("conditions", ())] == conditions
