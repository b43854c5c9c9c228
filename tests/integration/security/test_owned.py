"""What the control plane alone may write, asked for by the administrator of a workspace (S26, S36, S39)."""

from __future__ import annotations

import pytest

from fairlead_api import JsonObject
from fairlead_api.kinds.registry import OWN_KINDS, OwnKind
from tests.integration.security.conftest import ALICE, A, Room

pytestmark = pytest.mark.integration
MERGE = "application/merge-patch+json"
CLUSTER = f"{A}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster"
WORKSPACES = f"{A}/apis/tenancy.kcp.io/v1alpha1/workspaces"
ASSIGNMENTS = f"{A}/apis/scheduling.fairlead.io/v1alpha1/assignments"


@pytest.mark.parametrize(
    "kind", [kind for kind in OWN_KINDS if "status" in kind.subresources], ids=lambda kind: str(kind.plural)
)
def test_no_status_of_our_kinds_can_be_written(room: Room, kind: OwnKind) -> None:
    """PUT, each kind of PATCH, apply: all answer 403 and say whose it is."""
    path = f"{A}/apis/{kind.group}/{kind.version}/{kind.plural}/cluster/status"
    body = {"apiVersion": f"{kind.group}/{kind.version}", "kind": kind.kind, "metadata": {"name": "cluster"}}
    patches: list[tuple[str, str, JsonObject | str]] = [
        ("PUT", "application/json", {**body, "status": {"phase": "Ready"}}),
        ("PATCH", MERGE, {"status": {"phase": "Ready"}}),
        ("PATCH", "application/json-patch+json", '[{"op":"add","path":"/status/phase","value":"Ready"}]'),
        ("PATCH", "application/apply-patch+yaml", {**body, "status": {"phase": "Ready"}}),
    ]
    for method, content_type, sent in patches:
        target = f"{path}?fieldManager=x" if "apply" in content_type else path
        answer = room.wire.ask(method, target, sent, token=ALICE, Content_Type=content_type)
        assert answer.code == 403, (method, content_type, answer.message)
        assert answer.message.endswith("status is written by the control plane alone"), answer.message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"spec": {"owner": {"apiVersion": "v1", "resource": "x", "name": "x", "cluster": "x", "uid": "x"}}}, "owner"),
        ({"spec": {"directlyDeletable": True}}, "directlyDeletable"),
        ({"spec": {"initializers": ["root:x"]}}, "initializers"),
        ({"spec": {"terminators": ["root:x"]}}, "terminators"),
        ({"metadata": {"labels": {"tenancy.kcp.io/phase": "Deleting"}}}, "tenancy.kcp.io/phase"),
        ({"metadata": {"annotations": {"internal.tenancy.kcp.io/type": "root:root"}}}, "internal.tenancy.kcp.io/type"),
        ({"metadata": {"finalizers": []}}, "finalizer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_workspace_is_cannot_be_changed_from_inside(room: Room, change: JsonObject, field: str) -> None:
    """Owner, type, initializers, phase: 403 with the field's name, and nothing is changed."""
    before = room.wire.ask("GET", CLUSTER).json
    answer = room.wire.ask("PATCH", CLUSTER, change, token=ALICE, Content_Type=MERGE)
    assert (answer.code, field in answer.message) == (403, True), answer.message
    assert room.wire.ask("GET", CLUSTER).json == before


def test_where_a_workspace_lies_is_not_its_makers_to_say(room: Room) -> None:
    """Cluster and URL of a Workspace: neither when it is made nor later."""
    named = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": "owned"}}
    for spec in ({"cluster": "root"}, {"URL": "https://elsewhere"}):
        answer = room.wire.ask("POST", WORKSPACES, {**named, "spec": spec}, token=ALICE)
        assert (answer.code, "system privileged users" in answer.message) == (403, True), answer.message
    assert room.wire.ask("POST", WORKSPACES, named, token=ALICE).code == 201
    later: list[JsonObject] = [{"cluster": "root"}, {"cluster": None}, {"URL": "https://elsewhere"}]
    for change in (*later, {"type": {"name": "root"}}):
        answer = room.wire.ask("PATCH", f"{WORKSPACES}/owned", {"spec": change}, token=ALICE, Content_Type=MERGE)
        assert answer.code in (403, 422), answer.message


def test_where_a_namespace_runs_is_the_schedulers_to_say(room: Room) -> None:
    """Assignments can be read by the workspace's administrator, and not written in any way."""
    assert room.wire.ask("GET", ASSIGNMENTS, token=ALICE).code == 200
    head = {"apiVersion": "scheduling.fairlead.io/v1alpha1", "kind": "Assignment"}
    body: JsonObject = {**head, "metadata": {"name": "default"}}
    body["spec"] = {"targets": [{"name": "x", "key": "x", "uid": "x", "state": "Sync"}]}
    for method, path in (
        ("POST", ""), ("PUT", "/default"), ("PATCH", "/default"), ("DELETE", "/default"), ("DELETE", ""),
    ):  # fmt: skip
        kind = MERGE if method == "PATCH" else "application/json"
        answer = room.wire.ask(method, ASSIGNMENTS + path, body, token=ALICE, Content_Type=kind)
        assert answer.code == 403, (method, path, answer.message)
