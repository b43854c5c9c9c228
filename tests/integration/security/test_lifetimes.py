"""Workspaces that end and begin again: nothing and nobody comes through (S16); homes and types."""

from __future__ import annotations

from fairlead_api import JsonObject
from tests.integration.security.conftest import ALICE, CRDS, STRANGER, A, Room, crd
from tests.support.waiting import wait_until

WORKSPACES = "/apis/tenancy.kcp.io/v1alpha1/workspaces"
MAPS = "/api/v1/namespaces/default/configmaps"


def _workspace(name: str, kind: str = "universal") -> JsonObject:
    head = {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
    return {**head, "spec": {"type": {"name": kind, "path": "root"}}}


def _make(room: Room, parent: str, name: str, kind: str = "universal") -> str:
    """Create a workspace and return the path of its URL."""
    room.make(parent + WORKSPACES, _workspace(name, kind))
    path = f"{parent}{WORKSPACES}/{name}"
    wait_until(lambda: room.wire.ask("GET", path).json.get("status", {}).get("phase") == "Ready", 10)
    return f"{parent}:{name}"


def test_s16_a_tree_goes_with_its_content_and_comes_back_empty(room: Room) -> None:
    """What stood at a path before is no part of what stands there now, tokens included."""
    top = _make(room, A, "tree")
    below = _make(room, top, "branch")
    for base in (top, below):
        room.make(base + CRDS, crd("widgets", "Widget", {"type": "integer"}))
        room.make(base + MAPS, {"metadata": {"name": "kept"}, "data": {"a": "b"}})
        room.make(f"{base}/api/v1/namespaces", {"metadata": {"name": "more"}})
        room.make(f"{base}/api/v1/namespaces/more/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})
    token = room.token(below)
    assert room.wire.ask("DELETE", f"{A}{WORKSPACES}/tree").code in (200, 202)
    wait_until(lambda: room.wire.ask("GET", f"{A}{WORKSPACES}/tree").code == 404, 30)
    for base in (top, below):
        assert room.wire.ask("GET", base + MAPS).code in (403, 404)
    everywhere = room.wire.ask("GET", "/clusters/*/api/v1/configmaps").json["items"]
    assert "kept" not in {item["metadata"]["name"] for item in everywhere}
    assert room.wire.ask("GET", below + MAPS, token=token).code in (401, 403)
    again = _make(room, _make(room, A, "tree"), "branch")
    assert room.wire.ask("GET", f"{again}{MAPS}/kept").code == 404
    assert room.wire.ask("GET", again + CRDS).json["items"] == []
    assert room.wire.ask("GET", f"{again}/api/v1/namespaces/more").code == 404
    assert room.wire.ask("GET", again + MAPS, token=token).code in (401, 403)
    assert room.wire.ask("GET", MAPS, token=token).code in (401, 403)


def test_a_finalizer_holds_a_workspace_until_it_is_taken_off(room: Room) -> None:
    """Deletion says what it waits for, and ends when that is gone."""
    base = _make(room, A, "held")
    room.make(base + MAPS, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    room.wire.ask("DELETE", f"{A}{WORKSPACES}/held")
    cluster = f"{base}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster"

    def reason() -> bool:
        conditions = room.wire.ask("GET", cluster).json.get("status", {}).get("conditions", [])
        return any("configmaps has 1" in str(each.get("message")) for each in conditions)

    wait_until(reason, 20)
    patch = {"Content_Type": "application/merge-patch+json"}
    assert room.wire.ask("PATCH", f"{base}{MAPS}/held", {"metadata": {"finalizers": None}}, **patch).code == 200
    wait_until(lambda: room.wire.ask("GET", f"{A}{WORKSPACES}/held").code == 404, 30)


def test_everybody_has_a_home_of_his_own(room: Room) -> None:
    """Made on first use, the same ever after, and closed to others."""
    home = f"/clusters/root{WORKSPACES}/~"
    found = room.wire.ask("GET", home, token=ALICE)
    assert (found.code, found.json["status"]["phase"]) == (200, "Ready")
    path = found.json["spec"]["URL"].removeprefix(room.wire.url)
    assert room.wire.ask("GET", home, token=ALICE).json["spec"]["URL"] == found.json["spec"]["URL"]
    assert room.wire.ask("POST", path + MAPS, {"metadata": {"name": "mine"}}, token=ALICE).code == 201
    assert room.wire.ask("GET", path + MAPS, token=STRANGER).code == 403
    other = room.wire.ask("GET", home, token=STRANGER).json["spec"]["URL"].removeprefix(room.wire.url)
    assert other != path
    assert room.wire.ask("GET", other + MAPS, token=ALICE).code == 403
    assert room.wire.ask("GET", home, token="").code in (401, 403)


def test_types_say_what_may_be_made_where(room: Room) -> None:
    """Organizations stand below root, teams below organizations; an unknown type is refused by name."""
    organization = _make(room, "/clusters/root", "acme", "organization")
    _make(room, organization, "blue", "team")
    refused = room.wire.ask("POST", A + WORKSPACES, _workspace("nested", "organization"))
    assert refused.code == 403
    assert "organization" in refused.message
    assert room.wire.ask("POST", A + WORKSPACES, _workspace("odd", "nothing")).code in (403, 422)
    assert room.wire.ask("POST", organization + WORKSPACES, _workspace("Bad_Name", "team")).code == 422
