"""Policies of a workspace hold in it alone; those of an export's workspace hold wherever its API is bound."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from fairlead_api import JsonObject
from tests.integration.api import policy_cases as given
from tests.integration.security.wire import Wire
from tests.support import processes
from tests.support.servers import fairlead_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration

_POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmission"
_MAPS = "/api/v1/namespaces/default/configmaps"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_WORKSPACES = "/clusters/root/apis/tenancy.kcp.io/v1alpha1/workspaces"


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """Give a server with two workspaces, of which one has Kubernetes' kinds."""
    with fairlead_server(processes.run_directory() / "workspace-policies", "--no-scheduler") as server:
        wire = Wire.to(server)
        for name in ("one", "two"):
            made = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
            assert wire.ask("POST", _WORKSPACES, made).code == 201
        for name in ("one", "two"):
            wait_until(partial(_answers, wire, _at(name, "/api/v1/namespaces/default")), 20)
        reference = {"export": {"path": "root:compute", "name": "kubernetes"}}
        binding = {"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIBinding", "metadata": {"name": "kubernetes"}}
        bindings = _at("one", "/apis/apis.kcp.io/v1alpha1/apibindings")
        assert wire.ask("POST", bindings, {**binding, "spec": {"reference": reference}}).code == 201
        wait_until(partial(_answers, wire, _at("one", _DEPLOYMENTS)), 20)
        yield wire


def _answers(wire: Wire, path: str) -> bool:
    return wire.ask("GET", path).code == 200


def _at(workspace: str, path: str) -> str:
    return f"/clusters/root:{workspace}{path}"


def _police(wire: Wire, workspace: str, name: str, spec: JsonObject) -> None:
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    policy = {**head, "kind": "ValidatingAdmissionPolicy", "spec": spec}
    bound = {"policyName": name, "validationActions": ["Deny"]}
    binding = {**head, "kind": "ValidatingAdmissionPolicyBinding", "spec": bound}
    assert wire.ask("POST", _at(workspace, f"{_POLICIES}policies"), policy).code == 201
    assert wire.ask("POST", _at(workspace, f"{_POLICIES}policybindings"), binding).code == 201


def _deployment(name: str, replicas: int) -> JsonObject:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def test_a_policy_holds_in_its_workspace_alone(wire: Wire) -> None:
    """And it may ask what the user may do there."""
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    _police(wire, "two", "labelled", given.policy(given.says("has(object.metadata.labels)", message="label it")))
    refused = wire.ask("POST", _at("two", _MAPS), made)
    assert (refused.code, refused.message.endswith("denied request: label it")) == (422, True)
    assert wire.ask("POST", _at("one", _MAPS), made).code == 201
    made["metadata"] = {"name": "a", "labels": {"a": "b"}}
    assert wire.ask("POST", _at("two", _MAPS), made).code == 201


def test_bound_kinds_of_kubernetes_obey_consumer_and_provider(wire: Wire) -> None:
    """Whoever says less."""
    rule = {"apiGroups": ["apps"], "resources": ["deployments"]}
    _police(wire, "one", "small", given.policy(given.says("object.spec.replicas < 4", message="ours"), rule=rule))
    path = _at("one", _DEPLOYMENTS)
    assert wire.ask("POST", path, _deployment("four", 4)).message.endswith("denied request: ours")
    assert wire.ask("POST", path, _deployment("three", 3)).code == 201
    _police(wire, "compute", "tiny", given.policy(given.says("object.spec.replicas < 3", message="theirs"), rule=rule))
    assert wire.ask("POST", path, _deployment("other", 3)).message.endswith("denied request: theirs")
    assert wire.ask("POST", path, _deployment("two", 2)).code == 201


def test_a_workspace_whose_policies_forbid_everything_can_go(wire: Wire) -> None:
    """What empties it is not asked."""
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    _police(wire, "two", "nothing", given.policy(given.says("false"), rule=everything))
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "labels": {"a": "b"}}}
    assert wire.ask("POST", _at("two", _MAPS), made).code == 422
    assert wire.ask("DELETE", f"{_WORKSPACES}/two").code == 200
    wait_until(lambda: wire.ask("GET", f"{_WORKSPACES}/two").code == 404, 30)
