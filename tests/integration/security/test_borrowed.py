"""Rights in another workspace are not had by borrowing a name: accounts of the same name, and acting as somebody."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from tests.integration.security.conftest import ALICE, CRDS, NEIGHBOUR, RBAC, A, Room, account, crd, user

pytestmark = pytest.mark.integration
BINDINGS = "/apis/apis.kcp.io/v1alpha1/apibindings"


@pytest.fixture(scope="module")
def offered(room: Room) -> Room:
    """Give an export of the neighbour that its own account, and bob, may bind."""
    export = {"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExport", "metadata": {"name": "offer"}, "spec": {}}
    room.make(f"{NEIGHBOUR}/apis/apis.kcp.io/v1alpha1/apiexports", export)
    for base in (A, NEIGHBOUR):
        room.grant(base, "borrowed-account", account("default", "kube-system"))
        room.grant(base, "borrowed-bob", user("bob"))
    return room


def _binding(name: str) -> JsonObject:
    spec = {"reference": {"export": {"path": "root:a-b", "name": "offer"}}}
    return {"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIBinding", "metadata": {"name": name}, "spec": spec}


def test_an_account_of_the_same_name_lends_no_right_to_bind(offered: Room) -> None:
    """The right is the neighbour's account's; ours is called the same."""
    token = offered.token(A, "kube-system")
    answer = offered.wire.ask("POST", A + BINDINGS, _binding("by-account"), token=token)
    assert (answer.code, "no permission to bind" in answer.message) == (403, True), answer.message


def test_acting_as_somebody_lends_no_right_to_bind(offered: Room) -> None:
    """Alice may act as anybody in her workspace; what bob may do next door stays bob's."""
    answer = offered.wire.ask("POST", A + BINDINGS, _binding("as-bob"), token=ALICE, Impersonate_User="bob")
    assert (answer.code, "no permission to bind" in answer.message) == (403, True), answer.message
    maps = f"{A}/api/v1/namespaces/default/configmaps"
    mine = {"metadata": {"name": "as-bob"}}
    assert offered.wire.ask("POST", maps, mine, token=ALICE, Impersonate_User="bob").code == 201


def test_nobody_acts_as_the_system(offered: Room) -> None:
    """Also not where a binding of their own lets the system's user in."""
    offered.grant(A, "borrowed-system", user("system:fairlead"))
    marked = {"metadata": {"name": "marked", "annotations": {"internal.workload.kcp.io/agent-key": "x"}}}
    maps = f"{A}/api/v1/namespaces/default/configmaps"
    assert offered.wire.ask("POST", maps, marked, token=ALICE, Impersonate_User="system:fairlead").code == 403


def test_a_definition_cannot_stand_over_what_the_server_serves(offered: Room) -> None:
    """Deleting it would sweep away objects that admission protects."""
    body = crd("widgets", "Widget", {"type": "integer"}, scope="Cluster")
    body["metadata"] = {
        "name": f"clusterrolebindings.{RBAC}",
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/1"},
    }
    body["spec"]["group"] = RBAC
    kind = "ClusterRoleBinding"
    body["spec"]["names"] = {"plural": f"{kind.lower()}s", "singular": kind.lower(), "kind": kind}
    answer = offered.wire.ask("POST", A + CRDS, body, token=ALICE)
    assert (answer.code, "served by the server itself" in answer.message) == (403, True), answer.message
