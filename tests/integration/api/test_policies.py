"""Admission policies refuse, warn and change what they do in a real kube-apiserver, in the same words."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest

from fairlead_api import JsonObject
from tests.integration.api import policy_cases as given
from tests.integration.security.wire import Answer, Wire
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

_GROUP = "/apis/admissionregistration.k8s.io/v1"
_MAPS = "/api/v1/namespaces/default/configmaps"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_KINDS = {"validating": "ValidatingAdmissionPolicy", "mutating": "MutatingAdmissionPolicy"}
_SERVER_SET = frozenset({"uid", "creationTimestamp", "resourceVersion", "managedFields"})
_PROBE = "zz-probe"


def _made(kind: str, name: str, spec: JsonObject) -> JsonObject:
    version = "admissionregistration.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _path(word: str, what: str) -> str:
    return f"{_GROUP}/{word}admission{what}"


def _install(wire: Wire, word: str, name: str, spec: JsonObject) -> None:
    """Make a policy about objects that carry its name as a label, and a binding."""
    matched = {"objectSelector": {"matchLabels": {"case": name}}, **spec["matchConstraints"]}
    policy = _made(_KINDS[word], name, {**spec, "matchConstraints": matched})
    answer = wire.ask("POST", _path(word, "policies"), policy)
    assert answer.code == 201, (name, answer.message)
    bound: JsonObject = {"policyName": name, **given.BINDINGS.get(name, {})}
    if word == "validating":
        bound.setdefault("validationActions", ["Deny"])
    answer = wire.ask("POST", _path(word, "policybindings"), _made(f"{_KINDS[word]}Binding", name, bound))
    assert answer.code == 201, (name, answer.message)


def _map(name: str, data: JsonObject, **labels: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data}


@pytest.fixture(scope="module")
def policed(wires: tuple[Wire, Wire]) -> tuple[Wire, Wire]:
    """Have all policies in force on both sides; in Kubernetes that takes a second."""
    everything = {"matchConstraints": given.policy()["matchConstraints"], "validations": [given.says("false")]}
    for wire in wires:
        for name, data, labels in (("bounds", {"least": "5"}, {}), ("no-1", {"not": "1"}, {"role": "bound"})):
            assert wire.ask("POST", _MAPS, _map(name, data, **labels)).code == 201
        assert wire.ask("POST", _MAPS, _map("no-2", {"not": "2"}, role="bound")).code == 201
        for name in ("updates", "deletes"):
            assert wire.ask("POST", _MAPS, _map(name, {"a": "keep"}, case=name)).code == 201
        for name, spec in {**given.MUTATING, **given.DEPLOYMENTS}.items():
            _install(wire, "mutating", name, spec)
        for name, spec in {**given.POLICIES, _PROBE: everything}.items():
            _install(wire, "validating", name, spec)
        _install(wire, "mutating", _PROBE, given.applied("Object{data: {'in': 'force'}}"))
    for wire in wires:
        wait_until(partial(_is_in_force, wire), 60)
    return wires


def _is_in_force(wire: Wire) -> bool:
    validated = wire.ask("POST", f"{_MAPS}?dryRun=All", _map("probe", {}, case=_PROBE))
    return validated.code == 422 and "denied" in validated.message


def _told(answer: Answer) -> Any:
    """Return what an answer says: code, refusal and warnings, or the object that came of it."""
    body = answer.json
    warnings = answer.headers.get("warning", "")
    if answer.code >= 400:
        return answer.code, {key: body.get(key) for key in ("reason", "message", "details")}, warnings
    body["metadata"] = {key: value for key, value in body["metadata"].items() if key not in _SERVER_SET}
    return answer.code, body, warnings


def _both(wires: tuple[Wire, Wire], *request: Any, **headers: str) -> tuple[Any, Any]:
    ours, theirs = (_told(wire.ask(*request, **headers)) for wire in wires)
    return ours, theirs


@pytest.mark.parametrize("name", [*given.POLICIES, *given.MUTATING])
def test_requests_fare_alike(policed: tuple[Wire, Wire], name: str) -> None:
    """Refusals with their words, causes and codes, warnings, and objects that were changed."""
    for index, data in enumerate(given.DATA.get(name, [{"a": "b"}, {"a": "c"}])):
        made = _map(f"{name}-{'one' if index == 0 else 'two'}", data, case=name)
        ours, theirs = _both(policed, "POST", f"{_MAPS}?dryRun=All", made)
        assert ours == theirs


def _deployment(name: str) -> JsonObject:
    container = {"name": "c", "image": "c:1", "env": [{"name": "Z", "value": "z"}]}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"case": name}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.mark.parametrize("name", given.DEPLOYMENTS)
def test_deployments_are_changed_alike(policed: tuple[Wire, Wire], name: str) -> None:
    """Lists are merged by their keys, and what is added gets its defaults."""
    ours, theirs = _both(policed, "POST", f"{_DEPLOYMENTS}?dryRun=All", _deployment(name))
    assert ours == theirs


@pytest.mark.parametrize("content", ["merge-patch", "strategic-merge-patch", "apply-patch"])
def test_patches_are_asked_about(policed: tuple[Wire, Wire], content: str) -> None:
    """A policy sees what a patch makes of the object."""
    changed = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "other"}}
    path = f"{_MAPS}/updates?dryRun=All" + ("&fieldManager=m&force=true" if content == "apply-patch" else "")
    kind = "yaml" if content == "apply-patch" else "json"
    ours, theirs = _both(policed, "PATCH", path, changed, Content_Type=f"application/{content}+{kind}")
    assert ours == theirs
    assert ours[0] == 422


def test_deletes_are_asked_about(policed: tuple[Wire, Wire]) -> None:
    """A policy sees what is deleted, also as one of many."""
    ours, theirs = _both(policed, "DELETE", f"{_MAPS}/deletes")
    assert ours == theirs
    assert ours[0] == 422
    ours, theirs = _both(policed, "DELETE", f"{_MAPS}?labelSelector=case%3Ddeletes")
    assert ours == theirs


def test_scales_are_asked_about(wires: tuple[Wire, Wire]) -> None:
    """A policy about ``deployments/scale`` sees a Scale."""
    found = []
    for wire in wires:
        assert wire.ask("POST", _DEPLOYMENTS, _deployment("scaled")).code == 201
        _bind(wire, "scaled", given.SCALED)
        path, patch = f"{_DEPLOYMENTS}/scaled/scale", "application/merge-patch+json"
        wait_until(partial(_is_denied, wire, "PATCH", f"{path}?dryRun=All", {"spec": {"replicas": 9}}), 60)
        sizes = (3, 9, 5, 4)
        found.append([_refusal(wire.ask("PATCH", path, {"spec": {"replicas": n}}, Content_Type=patch)) for n in sizes])
    assert found[0] == found[1]
    assert [code for code, _ in found[0]] == [200, 422, 200, 422]


def test_evictions_are_asked_about(wires: tuple[Wire, Wire]) -> None:
    """A policy about ``pods/eviction`` sees the Eviction."""
    found = []
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "evicted", "namespace": "default"}}
    for wire in wires:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        wire.ask("POST", "/api/v1/namespaces/default/serviceaccounts", account)
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "evicted"},
            "spec": {"containers": [{"name": "c", "image": "c"}]},
        }
        made = wire.ask("POST", "/api/v1/namespaces/default/pods", pod)
        assert made.code == 201, made.message
        _bind(wire, "evicted", given.EVICTED)
        path = "/api/v1/namespaces/default/pods/evicted/eviction"
        wait_until(partial(_is_denied, wire, "POST", f"{path}?dryRun=All", body), 60)
        found.append(_refusal(wire.ask("POST", path, body)))
    assert found[0] == found[1]
    assert found[0][0] == 422


def _bind(wire: Wire, name: str, spec: JsonObject) -> None:
    """Make a policy about whatever its rules say, and a binding."""
    assert wire.ask("POST", _path("validating", "policies"), _made(_KINDS["validating"], name, spec)).code == 201
    bound = _made("ValidatingAdmissionPolicyBinding", name, {"policyName": name, "validationActions": ["Deny"]})
    assert wire.ask("POST", _path("validating", "policybindings"), bound).code == 201


def _is_denied(wire: Wire, method: str, path: str, body: JsonObject) -> bool:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    return "denied request" in wire.ask(method, path, body, Content_Type=kind).message


def _refusal(answer: Answer) -> tuple[int, Any]:
    body = answer.json
    return answer.code, {key: body.get(key) for key in ("reason", "message", "details")} if answer.code >= 400 else None


@pytest.mark.parametrize(
    ("word", "what", "name"),
    [
        *(("validating", "policies", name) for name in given.WRONG),
        *(("validating", "policybindings", name) for name in given.WRONG_BINDINGS),
        *(("mutating", "policies", name) for name in given.WRONG_MUTATING),
    ],
)
def test_wrong_policies_are_refused_alike(wires: tuple[Wire, Wire], word: str, what: str, name: str) -> None:
    """Causes with fields, reasons and texts, those of the compiler among them."""
    table = {"policies": {"validating": given.WRONG, "mutating": given.WRONG_MUTATING}[word]}
    spec = table.get(what, given.WRONG_BINDINGS)[name]
    kind = _KINDS[word] + ("Binding" if what == "policybindings" else "")
    found = []
    for wire in wires:
        answer = wire.ask("POST", f"{_path(word, what)}?dryRun=All", _made(kind, f"wrong-{name}", spec))
        details = answer.json.get("details", {}).get("causes", ())
        shown = sorted(str((each.get("field"), each.get("reason"), each.get("message"))) for each in details)
        found.append((answer.code, answer.json.get("reason"), [re.sub(r"0x[0-9a-f]+", "0x", one) for one in shown]))
    assert found[0] == found[1]
    assert found[0][0] == 422


def test_what_is_left_out_is_filled_in_alike(wires: tuple[Wire, Wire]) -> None:
    """Defaults and generations, at the first write and after a change."""
    found = []
    for wire in wires:
        seen = []
        for word, spec in (("validating", given.policy(given.says("true"))), ("mutating", given.applied("Object{}"))):
            path = _path(word, "policies")
            seen.append(_told(wire.ask("POST", path, _made(_KINDS[word], "filled", spec))))
            changed = {"spec": {"failurePolicy": "Ignore"}}
            patch = "application/merge-patch+json"
            seen.append(_told(wire.ask("PATCH", f"{path}/filled", changed, Content_Type=patch)))
        found.append(seen)
    assert found[0] == found[1]


def test_a_policy_holds_for_the_very_next_write(wires: tuple[Wire, Wire]) -> None:
    """Here nobody waits until a policy is in force, or no longer."""
    ours = wires[0]
    _install(ours, "validating", "at-once", given.policy(given.says("false")))
    made = _map("at-once", {}, case="at-once")
    assert ours.ask("POST", f"{_MAPS}?dryRun=All", made).code == 422
    assert ours.ask("DELETE", f"{_path('validating', 'policybindings')}/at-once").code == 200
    assert ours.ask("POST", f"{_MAPS}?dryRun=All", made).code == 201
