"""Rules of custom resources (``x-kubernetes-validations``) find what they find in a real kube-apiserver."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fairlead_api import JsonObject
from tests.integration.api import rule_definitions as given
from tests.integration.security.wire import Answer, Wire
from tests.support.waiting import wait_until

_GROUP = "rules.example.com"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _definition(plural: str, schema: JsonObject) -> JsonObject:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"plural": plural, "singular": plural, "kind": plural.capitalize(), "listKind": f"{plural}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{_GROUP}"},
        "spec": {"group": _GROUP, "scope": "Cluster", "names": names, "versions": [version]},
    }


def _serve(wire: Wire, plural: str, schema: JsonObject) -> str:
    """Make a kind; return the path of its objects once it answers."""
    made = wire.ask("POST", _DEFINITIONS, _definition(plural, schema))
    assert made.code == 201, made.message
    path = f"/apis/{_GROUP}/v1/{plural}"
    wait_until(lambda: wire.ask("GET", path).code == 200, 20)
    return path


def _object(plural: str, name: str, spec: JsonObject) -> JsonObject:
    return {"apiVersion": f"{_GROUP}/v1", "kind": plural.capitalize(), "metadata": {"name": name}, "spec": spec}


def _found(answer: Answer) -> Any:
    """Return what an answer says; Kubernetes visits maps in no order, and numbers its types."""
    body = answer.json
    causes = [
        (each.get("field"), each["reason"], each["message"]) for each in body.get("details", {}).get("causes", ())
    ]
    shown = [re.sub(r"selfType\d+", "selfType", repr(each)) for each in causes]
    warnings = sorted(answer.headers.get("warning", "").split(", 299 "))
    return answer.code, sorted(shown) or body.get("message", "") if answer.code >= 400 else "", warnings


@pytest.mark.parametrize("name", given.DEFINITIONS)
def test_definitions_are_refused_alike(wires: tuple[Wire, Wire], name: str) -> None:
    """Compile errors with their places, and costs that are too high."""
    plural = "d" + re.sub(r"\W", "", name)
    made = _definition(plural, given.DEFINITIONS[name])
    ours, theirs = (_found(wire.ask("POST", _DEFINITIONS, made)) for wire in wires)
    assert ours == theirs


@pytest.fixture(scope="module")
def paths(wires: tuple[Wire, Wire]) -> list[str]:
    """Serve the kind with many rules on both sides."""
    return [_serve(wire, "things", given.SCHEMA) for wire in wires]


@pytest.mark.parametrize("name", given.NEW)
def test_objects_are_refused_alike(wires: tuple[Wire, Wire], paths: list[str], name: str) -> None:
    """Causes with fields, reasons and texts."""
    made = _object("things", *given.NEW[name])
    ours, theirs = (
        _found(wire.ask("POST", f"{path}?dryRun=All", made)) for wire, path in zip(wires, paths, strict=True)
    )
    assert ours == theirs


def _updated(wire: Wire, path: str, plural: str, name: str, spec: JsonObject) -> Answer:
    version = wire.ask("GET", f"{path}/{name}").json["metadata"]["resourceVersion"]
    changed = _object(plural, name, spec)
    changed["metadata"]["resourceVersion"] = version
    return wire.ask("PUT", f"{path}/{name}", changed)


@pytest.mark.parametrize("name", given.CHANGES)
def test_updates_are_refused_alike(wires: tuple[Wire, Wire], paths: list[str], name: str) -> None:
    """Rules that compare with the object before."""
    before, after = given.CHANGES[name]
    word = "a" + re.sub(r"\W", "", name)
    found = []
    for wire, path in zip(wires, paths, strict=True):
        wire.ask("POST", path, _object("things", word, before))
        found.append(_found(_updated(wire, path, "things", word, after)))
    assert found[0] == found[1]


def test_status_keeps_the_rules(wires: tuple[Wire, Wire], paths: list[str]) -> None:
    """An update of the status alone is checked, too."""
    found = []
    for wire, path in zip(wires, paths, strict=True):
        wire.ask("POST", path, _object("things", "astatus", {}))
        changed = wire.ask("GET", f"{path}/astatus").json
        answer = wire.ask("PUT", f"{path}/astatus/status", {**changed, "status": {"phase": "Bad"}})
        found.append(_found(answer))
    assert found[0] == found[1]
    assert found[0][0] == 422


def _wait_for_rules(wire: Wire, path: str) -> None:
    probe = _object("older", "aprobe", {})
    wait_until(lambda: wire.ask("POST", f"{path}?dryRun=All", probe).code == 422, 20)


def test_what_did_not_change_may_stay(wires: tuple[Wire, Wire]) -> None:
    """Rules that came later warn of what was there before, and refuse what changes."""
    found: list[dict[str, Any]] = []
    for wire in wires:
        path = _serve(wire, "older", {**given.SCHEMA, given.RULES: []})
        for name, (before, _) in given.RATCHETED.items():
            made = wire.ask("POST", path, _object("older", "a" + re.sub(r"\W", "", name), before))
            assert made.code == 201, made.message
        definition = wire.ask("GET", f"{_DEFINITIONS}/older.{_GROUP}").json
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = given.TIGHTER
        assert wire.ask("PUT", f"{_DEFINITIONS}/older.{_GROUP}", definition).code == 200
        _wait_for_rules(wire, path)
        answers = {}
        for name, (_, after) in given.RATCHETED.items():
            answers[name] = _found(_updated(wire, path, "older", "a" + re.sub(r"\W", "", name), after))
        found.append(answers)
    assert found[0] == found[1]
