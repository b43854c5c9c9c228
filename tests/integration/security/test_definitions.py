"""A plain cluster whose administrator defines what the server itself serves (S42); compared with kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from tests.integration.security.conftest import CRDS, RBAC, crd
from tests.integration.security.wire import Wire
from tests.support.servers import fairlead_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.integration
ROLES = f"/apis/{RBAC}/v1/clusterroles"
APPROVED = {"api-approved.kubernetes.io": "unapproved, testing"}


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    folder: Path = tmp_path_factory.mktemp("plain")
    with fairlead_server(folder, "--profile=cluster") as server:
        yield Wire.to(server)


def _over(plural: str, kind: str, group: str, annotations: JsonObject) -> JsonObject:
    body = crd(plural, kind, {"type": "integer"}, scope="Cluster")
    body["metadata"] = {"name": f"{plural}.{group or 'core'}", "annotations": annotations}
    body["spec"]["group"] = group
    return body


def test_kubernetes_own_groups_need_approval(wire: Wire) -> None:
    """422 with Kubernetes' words, for no annotation and for one that is no approval."""
    for given in ({}, {"api-approved.kubernetes.io": "yes"}):
        answer = wire.ask("POST", CRDS, _over("clusterroles", "ClusterRole", RBAC, given))
        assert answer.code == 422
        assert 'protected groups must have approval annotation "api-approved.kubernetes.io"' in answer.message


@pytest.mark.parametrize(
    ("plural", "kind", "group", "path"),
    [
        ("clusterroles", "ClusterRole", RBAC, ROLES),
        ("namespaces", "Namespace", "", "/api/v1/namespaces"),
    ],
)
def test_a_definition_over_a_served_kind_is_in_its_shade(
    wire: Wire, plural: str, kind: str, group: str, path: str
) -> None:
    """It changes nothing of what is served while it is there, and takes nothing with it when it goes."""
    assert wire.ask("POST", path, {"metadata": {"name": "kept"}}).code == 201
    name = f"{plural}.{group or 'core'}"
    assert wire.ask("POST", CRDS, _over(plural, kind, group, APPROVED)).code == 201
    wait_until(lambda: "Established" in str(wire.ask("GET", f"{CRDS}/{name}").json.get("status")), 10)
    before = wire.ask("GET", path).json["items"]
    assert wire.ask("DELETE", f"{CRDS}/{name}").code == 200
    wait_until(lambda: wire.ask("GET", f"{CRDS}/{name}").code == 404, 10)
    assert wire.ask("GET", path).json["items"] == before
    assert "kept" in [item["metadata"]["name"] for item in before]
