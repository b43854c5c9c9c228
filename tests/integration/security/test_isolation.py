"""Nothing of one workspace is seen, changed or believed in another (S13 to S25)."""

from __future__ import annotations

import base64
import json

import pytest

from tests.integration.security.conftest import (
    ALICE,
    CRDS,
    NEIGHBOUR,
    NOBODY,
    STRANGER,
    A,
    Room,
    account,
    crd,
    json_lines,
    user,
)
from tests.support.waiting import wait_until

MAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
REFUSED = (401, 403)


@pytest.fixture(scope="module")
def twins(room: Room) -> Room:
    """Give both workspaces the same names: a CRD of another schema, an object of it, a ConfigMap, a namespace."""
    for base, kind, size in ((A, "integer", 1), (NEIGHBOUR, "string", "large")):
        room.make(f"{base}{CRDS}", crd("widgets", "Widget", {"type": kind}))
        wait_until(lambda base=base: room.wire.ask("GET", base + WIDGETS).code == 200, 10)  # type: ignore[misc]
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "same"}, "size": size}
        room.make(base + WIDGETS, widget)
        room.make(base + MAPS, {"metadata": {"name": "same"}, "data": {"of": base}})
        room.make(f"{base}/api/v1/namespaces", {"metadata": {"name": "shared"}})
    return room


def test_same_names_never_meet(twins: Room) -> None:
    """Get, list, patch, update and delete see the own object alone; each CRD's schema holds in its workspace."""
    wire = twins.wire
    assert wire.ask("GET", f"{A}{WIDGETS}/same").json["size"] == 1
    assert wire.ask("GET", f"{NEIGHBOUR}{WIDGETS}/same").json["size"] == "large"
    patch = {"Content_Type": "application/merge-patch+json"}
    assert wire.ask("PATCH", f"{A}{WIDGETS}/same", {"size": "text"}, **patch).code == 422
    assert wire.ask("PATCH", f"{A}{WIDGETS}/same", {"size": 2}, **patch).code == 200
    assert [item["size"] for item in wire.ask("GET", f"{NEIGHBOUR}{WIDGETS}").json["items"]] == ["large"]
    made = {"metadata": {"name": "mine"}, "data": {"of": A}}
    twins.make(A + MAPS, made)
    assert wire.ask("GET", f"{NEIGHBOUR}{MAPS}/mine").code == 404
    assert wire.ask("PUT", f"{A}{MAPS}/same", {"metadata": {"name": "same"}, "data": {"of": "changed"}}).code == 200
    assert wire.ask("GET", f"{NEIGHBOUR}{MAPS}/same").json["data"] == {"of": NEIGHBOUR}
    assert wire.ask("DELETE", f"{A}{MAPS}/mine").code == 200
    names = {item["metadata"]["name"] for item in wire.ask("GET", f"{A}/api/v1/configmaps").json["items"]}
    assert "same" in names
    assert wire.ask("DELETE", f"{A}{MAPS}?fieldSelector=metadata.name%3Dsame").code == 200
    assert wire.ask("GET", f"{NEIGHBOUR}{MAPS}/same").code == 200


def test_s20_a_watch_shows_its_own_workspace_alone(twins: Room) -> None:
    """Neighbours whose names begin alike: workspaces, namespaces, and resources of one group."""
    wire = twins.wire
    for base in (A, NEIGHBOUR):
        for namespace in ("n", "n-b"):
            twins.make(f"{base}/api/v1/namespaces", {"metadata": {"name": namespace}})
            twins.make(f"{base}/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": f"in-{namespace}"}})
    watch = "?watch=1&timeoutSeconds=1&resourceVersion=0"
    for base in (A, NEIGHBOUR):
        cluster = wire.ask("GET", f"{base}/apis/core.kcp.io/v1alpha1/logicalclusters/cluster").json
        own = cluster["metadata"]["annotations"]["kcp.io/cluster"]
        for path in ("/api/v1/configmaps", "/api/v1/namespaces/n/configmaps", WIDGETS, "/api/v1/namespaces"):
            events = json_lines(wire.ask("GET", base + path + watch).body)
            found = [event["object"]["metadata"] for event in events if event["type"] != "BOOKMARK"]
            assert found, path
            assert {each["annotations"]["kcp.io/cluster"] for each in found} == {own}
            if "/n/" in path:
                assert {each["namespace"] for each in found} == {"n"}
    listed = wire.ask("GET", f"{A}/api/v1/namespaces/n/configmaps").json["items"]
    assert {item["metadata"]["name"] for item in listed} == {"in-n", "kube-root-ca.crt"}


def test_s20_resources_whose_names_begin_alike(twins: Room) -> None:
    """``foos`` and ``foosx``: neither list shows the other's objects."""
    for plural, kind in (("foos", "Foo"), ("foosx", "FooX")):
        twins.make(f"{A}{CRDS}", crd(plural, kind, {"type": "integer"}))
        path = f"{A}/apis/example.com/v1/namespaces/default/{plural}"
        wait_until(lambda path=path: twins.wire.ask("GET", path).code == 200, 10)  # type: ignore[misc]
        twins.make(path, {"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": plural}})
    for plural in ("foos", "foosx"):
        items = twins.wire.ask("GET", f"{A}/apis/example.com/v1/{plural}").json["items"]
        assert [item["metadata"]["name"] for item in items] == [plural]


def test_s13_a_service_account_token_is_of_its_workspace_alone(twins: Room) -> None:
    """The neighbour has an account of the same name with all rights; the token of the other is none of them."""
    twins.grant(NEIGHBOUR, "default-account", account())
    twins.grant(A, "default-account", account())
    token = twins.token(A)
    assert twins.wire.ask("GET", A + MAPS, token=token).code == 200
    for path in (NEIGHBOUR + MAPS, "/clusters/root/api/v1/namespaces", "/clusters/root:compute/api"):
        assert twins.wire.ask("GET", path, token=token).code in REFUSED, path


def test_s14_an_unverified_claim_leads_nowhere(twins: Room) -> None:
    """A token that nobody signed is refused before its cluster name is looked at."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:default:default"}
    for cluster in ("../services/x", "root", "*"):
        named = {**claims, "kubernetes.io": {"clusterName": cluster}}
        for algorithm in ("none", "HS256", "ES256"):
            token = f"{part({'alg': algorithm, 'kid': '../../etc'})}.{part(named)}.{part('x')}"
            assert twins.wire.ask("GET", "/api/v1/namespaces", token=token).code == 401


def test_s15_reviews_speak_of_their_own_workspace(twins: Room) -> None:
    """A foreign token is nobody's, and foreign rights do not count."""
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": twins.token(NEIGHBOUR)},
    }
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    assert "authenticated" not in twins.wire.ask("POST", A + path, review).json["status"]
    assert twins.wire.ask("POST", NEIGHBOUR + path, review).json["status"]["authenticated"] is True
    asked = {"user": "alice", "resourceAttributes": {"verb": "list", "resource": "secrets"}}
    access = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": asked}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert twins.wire.ask("POST", A + path, access).json["status"]["allowed"] is True
    assert twins.wire.ask("POST", NEIGHBOUR + path, access).json["status"]["allowed"] is False


@pytest.mark.parametrize(
    "path",
    [
        "/clusters/root%3aa/api/v1/namespaces",
        "/clusters/root%2fa/api/v1/namespaces",
        "/clusters/root:a%2f..%2froot:a-b/api/v1/namespaces",
        "/clusters/root:a/%2e%2e/root:a-b/api/v1/namespaces",
        "/clusters/root:a/../root:a-b/api/v1/namespaces",
        "/clusters/root:a//api/v1/namespaces",
        "/clusters//api/v1/namespaces",
        "/clusters/root:a;x/api/v1/namespaces",
        "/clusters/root:a\\x/api/v1/namespaces",
        "/clusters/root:a:/api/v1/namespaces",
        "/clusters/root::a/api/v1/namespaces",
        "/clusters/ROOT:a/api/v1/namespaces",
        "/clusters/root:f%C3%B6%C3%B6/api/v1/namespaces",
        "/clusters/root:a%00/api/v1/namespaces",
        "/clusters/" + "a" * 64 + "/api/v1/namespaces",
        "/clusters/root:a/clusters/root:a-b/api/v1/namespaces",
        "/clusters/root:a/%252e%252e/root:a-b/api/v1/namespaces",
        "/%63lusters/root:a-b/api/v1/namespaces",
    ],
)
def test_s17_no_trick_in_a_path_reaches_another_workspace(twins: Room, path: str) -> None:
    """400 or 404 for an administrator, and nothing more for alice, who may enter ``root:a``."""
    assert twins.wire.ask("GET", path).code in (400, 404)
    assert twins.wire.ask("GET", path, token=ALICE).code in (400, 401, 403, 404)


def test_s19_a_cluster_that_is_none_takes_no_object(twins: Room) -> None:
    """Nobody can write below a path that no workspace has."""
    for cluster in ("root:none", "root:a:none", "none"):
        answer = twins.wire.ask("POST", f"/clusters/{cluster}{MAPS}", {"metadata": {"name": "x"}})
        assert answer.code in (403, 404)
    names = [item["metadata"]["name"] for item in twins.wire.ask("GET", "/clusters/*/api/v1/configmaps").json["items"]]
    assert "x" not in names


def test_unknown_and_forbidden_workspaces_answer_alike(twins: Room) -> None:
    """Who may enter neither cannot find out which exists."""
    texts = []
    for base in ("/clusters/root:a-b", "/clusters/root:a-c"):
        answer = twins.wire.ask("GET", base + MAPS, token=ALICE)
        assert answer.code == 403
        texts.append({key: value for key, value in answer.json.items() if key != "metadata"})
    assert texts[0] == texts[1]


def test_s22_a_continue_token_is_of_its_list(twins: Room) -> None:
    """In another workspace, namespace or resource it is refused."""
    page = twins.wire.ask("GET", f"{A}/api/v1/namespaces/n/configmaps?limit=1").json
    token = page["metadata"]["continue"]
    assert twins.wire.ask("GET", f"{A}/api/v1/namespaces/n/configmaps?limit=1&continue={token}").code == 200
    for path in (f"{NEIGHBOUR}/api/v1/namespaces/n/configmaps", f"{A}/api/v1/namespaces/n-b/configmaps"):
        assert twins.wire.ask("GET", f"{path}?limit=1&continue={token}").code in (400, 410)
    assert twins.wire.ask("GET", f"{A}/api/v1/namespaces/n/secrets?limit=1&continue={token}").code in (400, 410)


def test_s23_the_wildcard_is_for_administrators_to_look(twins: Room) -> None:
    """Tenants get 403 in every form; administrators may list and watch, and nothing else."""
    path = "/clusters/*/api/v1/configmaps"
    metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    for token in (ALICE, STRANGER, twins.token(A)):
        for query in ("", "?watch=1", "?limit=1"):
            assert twins.wire.ask("GET", path + query, token=token).code in REFUSED
            assert twins.wire.ask("GET", path + query, token=token, Accept=metadata).code in REFUSED
    assert twins.wire.ask("GET", path).code == 200
    assert twins.wire.ask("GET", "/clusters/*" + MAPS + "/same").code == 405
    for method in ("POST", "DELETE"):
        assert twins.wire.ask(method, path, {"metadata": {"name": "x"}}).code == 405


def test_s24_the_server_shows_nothing_of_itself_in_a_workspace(twins: Room) -> None:
    """Not even to who has all rights in it."""
    for path in ("/metrics", "/debug/pprof", "/configz", "/logs"):
        assert twins.wire.ask("GET", A + path, token=ALICE).code in (403, 404, 501), path
        assert twins.wire.ask("GET", path, token=ALICE).code in REFUSED, path


def test_s25_a_scope_is_no_way_around_rights(twins: Room) -> None:
    """A cluster-scoped kind has no namespaced path, whatever rights somebody has in the namespace."""
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    rbac = f"{NEIGHBOUR}/apis/rbac.authorization.k8s.io/v1"
    twins.make(f"{rbac}/namespaces/default/roles", {"metadata": {"name": "all"}, "rules": rules})
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "all"}
    binding = {"metadata": {"name": "all"}, "roleRef": ref, "subjects": [user("stranger")]}
    twins.make(f"{rbac}/namespaces/default/rolebindings", binding)
    enter = {"metadata": {"name": "enter"}, "rules": [{"nonResourceURLs": ["/"], "verbs": ["access"]}]}
    twins.make(f"{rbac}/clusterroles", enter)
    twins.grant(NEIGHBOUR, "stranger-enters", user("stranger"), role="enter")
    wire = twins.wire
    assert wire.ask("GET", NEIGHBOUR + MAPS, token=STRANGER).code == 200
    inside = f"{NEIGHBOUR}/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterroles"
    made = {"metadata": {"name": "through-a-namespace"}, "rules": rules}
    assert wire.ask("POST", inside, made, token=STRANGER).code in (403, 404)
    assert wire.ask("GET", inside, token=STRANGER).code in (403, 404)
    assert wire.ask("GET", f"{rbac}/clusterroles/through-a-namespace").code == 404
    assert wire.ask("GET", f"{NEIGHBOUR}/api/v1/configmaps", token=STRANGER).code == 403
    assert wire.ask("GET", f"{NEIGHBOUR}/api/v1/configmaps/same").code in (404, 405)


def test_s31_nobody_makes_himself_a_master(twins: Room) -> None:
    """Impersonating the groups of the server is refused to who has all rights in a workspace."""
    for group in ("system:masters", "system:kcp:admin", "system:fairlead:syncers"):
        answer = twins.wire.ask("GET", A + MAPS, token=ALICE, Impersonate_User="root", Impersonate_Group=group)
        assert answer.code == 403, group
    for header in ("X_Remote_User", "X_Remote_Group"):
        forged = {header: "system:masters"}
        assert twins.wire.ask("GET", NEIGHBOUR + MAPS, token=ALICE, **forged).code == 403
        assert twins.wire.ask("GET", NEIGHBOUR + MAPS, token="", **forged).code in REFUSED


def test_rights_on_names_hold_for_lists_of_one_name(twins: Room) -> None:
    """Who may list and watch one named object may wait for it by field selector, and for no other."""
    rbac = f"{A}/apis/rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"], "verbs": ["list", "watch"]}]
    twins.make(f"{rbac}/clusterroles", {"metadata": {"name": "one"}, "rules": rules})
    enter = {"metadata": {"name": "enter"}, "rules": [{"nonResourceURLs": ["/"], "verbs": ["access"]}]}
    twins.make(f"{rbac}/clusterroles", enter)
    for role in ("one", "enter"):
        twins.grant(A, f"stranger-{role}", user("stranger"), role=role)
    for query, code in (("metadata.name%3Done", 200), ("metadata.name%3Dtwo", 403), ("metadata.name!%3Done", 403)):
        for watch in ("", "&watch=1&timeoutSeconds=1"):
            path = f"{A}{MAPS}?fieldSelector={query}{watch}"
            assert twins.wire.ask("GET", path, token=STRANGER).code == code, path
    assert twins.wire.ask("GET", A + MAPS, token=STRANGER).code == 403


def test_a_namespace_on_what_has_none_is_dropped(twins: Room) -> None:
    """As in Kubernetes, for tools that write a namespace into everything."""
    made = twins.make(f"{A}/api/v1/namespaces", {"metadata": {"name": "placed", "namespace": "elsewhere"}})
    assert "namespace" not in made["metadata"]


def test_first_namespaces_are_like_any_other(twins: Room) -> None:
    """What every namespace has from the start is made in one way."""
    path = f"{A}/api/v1/namespaces/{{}}/configmaps/kube-root-ca.crt"
    one, other = (twins.wire.ask("GET", path.format(name)).json for name in ("default", "shared"))
    assert one["data"] == other["data"]
    assert one["metadata"]["annotations"] == other["metadata"]["annotations"]


def test_bins_tell_nobody_which_workspaces_exist(room: Room) -> None:
    """Unknown and forbidden answer alike: to anybody, to a user of none, to an account of another workspace."""
    foreign = room.token(NEIGHBOUR)
    for token in ("", NOBODY, foreign):
        answers = [room.wire.ask("GET", f"/services/bin/root:{name}", token=token) for name in ("a", "xy")]
        told = [(one.code, one.message.replace("root:a", "W").replace("root:xy", "W")) for one in answers]
        assert told[0] == told[1]
        assert told[0][0] in REFUSED
    assert room.wire.ask("GET", "/services/bin/root:a", token=ALICE).code == 200
    assert room.wire.ask("GET", "/services/bin/root:a-b", token=foreign).code == 200
