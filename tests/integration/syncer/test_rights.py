"""
What an agent may do in its cluster: what RBAC grants, what the admission policy takes back, and that both are enough.

Aspects: the whole list, against golden files; forbidden acts; bindings that are missing; kinds it may not look at;
agents joined before there was any of this.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from fairlead_machinery import kubeconfig
from tests.integration.syncer.joined import AGENT_NAMESPACE, BOTH_MODES, SYNC_TIMEOUT_S, Api, Joined
from tests.support.clusters import audit_events
from tests.support.waiting import wait_until

GOLDEN = Path(__file__).parent / "testdata" / "rights"
"""Written anew, after a look at the difference, with ``FAIRLEAD_WRITE_GOLDEN=1`` in the environment."""
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "agent-rights.md"
WIDE = pytest.mark.parametrize("joined", ["wide"], indirect=True)
RBAC = "/apis/rbac.authorization.k8s.io/v1"
LOCATOR = "kcp.io/namespace-locator"
FORBIDDEN = 403


def _agent(joined: Joined) -> Api:
    """Return the cluster as the agent."""
    credentials = kubeconfig.load([joined.folder / "cluster.kubeconfig"], explicit=True).credentials("")
    return replace(joined.down, token=credentials.token)


def _unbound(joined: Joined) -> Api:
    """Return the cluster as the agent's user to whom RBAC grants everything: what is refused, the policy refuses."""
    who = {"Impersonate-User": joined.user, "Impersonate-Group": "system:masters"}
    return replace(joined.down, headers=who)


def _namespace(name: str, **metadata: object) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def _binding(joined: Joined, name: str = "more", **other: object) -> JsonObject:
    """Return the binding the agent may make, or one that is other in some way."""
    agent = joined.manifest()
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{agent.id}-namespace"}
    subject = {"kind": "ServiceAccount", "name": agent.id, "namespace": AGENT_NAMESPACE}
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": name}}
    return {**body, "roleRef": role, "subjects": [subject], **other}


def _own(joined: Joined) -> JsonObject:
    found = joined.down.get(f"/api/v1/namespaces/{joined.home()}")
    assert found is not None
    return found


def _listed(joined: Joined, namespace: str) -> str:
    """
    Return ``kubectl auth can-i --list`` as the agent: kind, names and verbs a line, with the agent's name as AGENT.

    Sorted, as the API server gives no order, and without the URLs that every authenticated user may get.
    """
    file = f"--kubeconfig={joined.folder / 'cluster.kubeconfig'}"
    told = joined.cluster.kubectl("auth", "can-i", "--list", "-n", namespace, file)
    found = []
    for line in told.splitlines()[1:]:
        [(what, urls, names, verbs)] = re.findall(r"^(\S*) +\[(.*?)\] +\[(.*?)\] +\[(.*?)\]$", line)
        if not urls:
            found.append(f"{what} [{names}] [{' '.join(sorted(verbs.split()))}]\n")
    return "".join(sorted(found)).replace(joined.manifest().id, "AGENT")


@BOTH_MODES
def test_the_whole_list(joined: Joined) -> None:
    """In a namespace of its own and in any other it is the golden one, and the reference shows it."""
    mode = "wide" if joined.wide else "narrow"
    for name, namespace in (("own", joined.home()), ("foreign", "kube-system")):
        file = GOLDEN / f"{mode}-{name}.txt"
        found = _listed(joined, namespace)
        if os.environ.get("FAIRLEAD_WRITE_GOLDEN"):
            _write(file, found)
        assert found == file.read_text()
        assert file.stem == "wide-own" or f"<!-- {file.stem} -->\n```\n{found}```\n" in REFERENCE.read_text()
        assert "*" not in found
    if joined.wide:
        assert found == (GOLDEN / "wide-own.txt").read_text(), "wide means that there is no difference"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    block = re.compile(rf"(<!-- {file.stem} -->\n```\n)[^`]*")
    REFERENCE.write_text(block.sub(rf"\g<1>{text}", REFERENCE.read_text()))


def test_what_rbac_refuses(joined: Joined) -> None:
    """Outside its namespaces it may read nothing but namespaces, and write nothing; some things nowhere."""
    agent, home = _agent(joined), joined.home()
    refused = [
        *(("GET", path) for path in _everywhere()),
        *(("POST", f"/api/v1/namespaces/kube-system/{plural}") for plural in ("pods", "secrets", "configmaps")),
        ("GET", "/api/v1/namespaces/kube-system/secrets"),
        ("DELETE", "/api/v1/namespaces/kube-system"),
        ("PATCH", "/api/v1/namespaces/kube-system"),
        ("DELETE", f"/api/v1/namespaces/{AGENT_NAMESPACE}"),
        ("DELETE", f"/api/v1/namespaces/{home}/configmaps"),
        ("PUT", f"/api/v1/namespaces/{home}/finalize"),
        ("GET", f"/api/v1/namespaces/{AGENT_NAMESPACE}/secrets"),
        *(("POST", f"{RBAC}/{plural}") for plural in ("clusterroles", "clusterrolebindings")),
        *(("POST", f"{RBAC}/namespaces/{home}/{plural}") for plural in ("roles",)),
        ("POST", f"/api/v1/namespaces/{home}/pods"),
        ("POST", f"/api/v1/namespaces/{home}/serviceaccounts/default/token"),
        ("GET", f"/api/v1/namespaces/{home}/pods/x/exec?command=id"),
        ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
        ("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"),
        ("DELETE", f"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/{joined.manifest().id}"),
        ("DELETE", "/api/v1/nodes/x"),
    ]
    body = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}}
    taken = [one for one in refused if agent.call(*one, None if one[0] == "GET" else body)[0] != FORBIDDEN]
    assert taken == []
    impersonating = replace(agent, headers={"Impersonate-User": "administrator"})
    assert impersonating.call("GET", "/api/v1/namespaces")[0] == FORBIDDEN
    stranger = _binding(joined, roleRef={**_binding(joined)["roleRef"], "name": "cluster-admin"})
    assert agent.call("POST", f"{RBAC}/namespaces/{home}/rolebindings", stranger)[0] == FORBIDDEN


def _everywhere() -> list[str]:
    core = ("secrets", "configmaps", "pods", "services", "nodes", "serviceaccounts", "events")
    return [*(f"/api/v1/{plural}" for plural in core), "/apis/apps/v1/deployments", f"{RBAC}/rolebindings"]


@BOTH_MODES
def test_what_the_policy_refuses(joined: Joined) -> None:
    """With everything granted it still writes only what is its own, and changes no marks; each refusal says so."""
    own = _own(joined)
    user, made = _unbound(joined), f"kcp-{joined.number:06}squat"
    marks = {key: own["metadata"][key] for key in ("labels", "annotations")}
    other_locator = {LOCATOR: own["metadata"]["annotations"][LOCATOR].replace(joined.uid, "another")}
    dry, home, stranger = "?dryRun=All", joined.home(), f"stranger-{joined.number}"
    joined.down.ok("POST", "/api/v1/namespaces", _namespace(stranger))
    bindings = f"{RBAC}/namespaces/{home}/rolebindings{dry}"
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": "kube-system"}
    refused: list[tuple[str, str, JsonObject | None]] = [
        ("POST", f"/api/v1/namespaces{dry}", _namespace("anything", **marks)),
        ("POST", f"/api/v1/namespaces{dry}", _namespace("kcp-syncer-x-abcdefgh", **marks)),
        ("POST", f"/api/v1/namespaces{dry}", _namespace(made)),
        ("POST", f"/api/v1/namespaces{dry}", _namespace(made, **{**marks, "labels": {}})),
        ("POST", f"/api/v1/namespaces{dry}", _namespace(made, **{**marks, "annotations": other_locator})),
        ("DELETE", f"/api/v1/namespaces/{stranger}{dry}", None),
        ("DELETE", f"/api/v1/namespaces/{AGENT_NAMESPACE}{dry}", None),
        ("PATCH", f"/api/v1/namespaces/{stranger}{dry}", {"metadata": marks}),
        *(("PATCH", f"/api/v1/namespaces/{home}{dry}", {"metadata": {part: {mark: "other"}}})
          for part, mark in (("labels", "internal.workload.kcp.io/cluster"), ("labels", "kcp.io/tenant-id"),
                             ("annotations", LOCATOR), ("annotations", "internal.workload.kcp.io/proof"))),
        ("POST", f"{RBAC}/namespaces/{stranger}/rolebindings{dry}", _binding(joined)),
        ("POST", f"{RBAC}/namespaces/{AGENT_NAMESPACE}/rolebindings{dry}", _binding(joined)),
        ("POST", bindings, _binding(joined, subjects=[subject])),
        ("POST", bindings, _binding(joined, subjects=[*_binding(joined)["subjects"], subject])),
        ("POST", bindings, _binding(joined, subjects=[])),
        ("POST", bindings, _binding(joined, roleRef={**_binding(joined)["roleRef"], "name": "admin"})),
        ("POST", bindings, _binding(joined, roleRef={**_binding(joined)["roleRef"], "kind": "Role"})),
        ("POST", f"/api/v1/namespaces/{stranger}/configmaps{dry}", _config_map()),
        ("POST", f"/api/v1/namespaces/{stranger}/secrets{dry}", {**_config_map(), "kind": "Secret"}),
        ("POST", f"{RBAC}/clusterroles{dry}", {**_binding(joined), "kind": "ClusterRole", "rules": []}),
        ("DELETE", f"{RBAC}/clusterroles/view{dry}", None),
    ]  # fmt: skip
    for verb, path, body in refused:
        kind = "application/merge-patch+json" if verb == "PATCH" else ""
        code, answer = user.call(verb, path, body, kind)
        assert code == FORBIDDEN, f"{verb} {path} {body}: {code} {answer.get('message')}"
        assert f"the agent of SyncTarget {joined.name}" in answer["message"], answer
    assert user.call("POST", f"/api/v1/namespaces{dry}", _namespace(made, **marks))[0] == 201
    assert user.call("POST", bindings, _binding(joined))[0] == 201
    assert user.call("POST", f"/api/v1/namespaces/{home}/configmaps{dry}", _config_map())[0] == 201
    assert user.call("DELETE", f"/api/v1/namespaces/{home}{dry}")[0] == 200


def _config_map() -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}


def test_nobody_else_is_held(joined: Joined) -> None:
    """The policy is the agent's alone: another account with the same rights is not asked."""
    who = {"Impersonate-User": f"{joined.user}-2", "Impersonate-Group": "system:masters"}
    other = replace(joined.down, headers=who)
    for user in (other, joined.down):
        assert user.call("POST", "/api/v1/namespaces?dryRun=All", _namespace("anything"))[0] == 201


def test_everyday_work_breaks_no_rule(joined: Joined) -> None:
    """A namespace is made, filled, emptied and given up, and nothing the agent asked on the way was forbidden."""
    joined.team.ok("POST", "/api/v1/namespaces", _namespace("shop"))
    joined.assign("shop")
    joined.write("a", namespace="shop")
    joined.wait_value("a", "1", "shop")
    joined.write("a", "2", "shop")
    joined.wait_value("a", "2", "shop")
    joined.assign("shop", "Leaving")
    home = f"/api/v1/namespaces/{joined.home('shop')}"
    wait_until(lambda: "deletionTimestamp" in (joined.down.get(home) or {"metadata": {}})["metadata"], SYNC_TIMEOUT_S)
    asked = [event for event in audit_events(joined.cluster) if event["user"].get("username") == joined.user]
    first = [event["verb"] + " " + event["objectRef"]["resource"] for event in asked if _is_in(event, joined, "shop")]
    assert first.index("create rolebindings") < first.index("create configmaps"), "rights before anything else"
    forbidden = [event for event in asked if (event.get("responseStatus") or {}).get("code") == FORBIDDEN]
    # What began before the namespace was on its way out may be answered after it was.
    assert [event["requestURI"] for event in forbidden if joined.home("shop") not in event["requestURI"]] == []


def _is_in(event: JsonObject, joined: Joined, namespace: str) -> bool:
    return str((event.get("objectRef") or {}).get("namespace", "")) == joined.home(namespace)


def test_a_lost_binding_is_made_again(joined: Joined) -> None:
    """Somebody removed it: the next write finds out, and the user is not told a lie meanwhile."""
    binding = f"{RBAC}/namespaces/{joined.home()}/rolebindings/{joined.manifest().id}-namespace"
    joined.down.ok("DELETE", binding)
    maps = f"/api/v1/namespaces/{joined.home()}/configmaps"
    wait_until(lambda: _agent(joined).call("GET", maps)[0] == FORBIDDEN, SYNC_TIMEOUT_S)
    joined.write("after")
    joined.wait_value("after", "1")
    assert joined.down.get(binding) is not None
    assert not joined.progress().get("blocked")


def test_a_crash_before_the_binding_heals(joined: Joined) -> None:
    """The namespace is made and the agent killed: the next one binds, and goes on."""
    joined.stop_agent()
    joined.environment["FAIRLEAD_FAILPOINTS"] = "syncer-after-namespace=kill"
    joined.start_agent()
    joined.team.ok("POST", "/api/v1/namespaces", _namespace("shop"))
    joined.write("a", namespace="shop")
    joined.assign("shop")
    agent = joined.agent
    assert agent is not None
    wait_until(lambda: agent.return_code is not None, SYNC_TIMEOUT_S)
    joined.environment.clear()
    bindings = f"{RBAC}/namespaces/{joined.home('shop')}/rolebindings"
    assert joined.down.ok("GET", bindings)["items"] == []
    joined.start_agent()
    joined.wait_value("a", "1", "shop")
    assert [one["metadata"]["name"] for one in joined.down.ok("GET", bindings)["items"]] == [
        f"{joined.manifest().id}-namespace"
    ]


def test_a_namespace_stays_while_not_all_of_it_can_be_seen(joined: Joined) -> None:
    """The cluster got a new kind after it was joined: until that is renewed nothing is deleted blindly."""
    role = f"{RBAC}/clusterroles/{joined.manifest().id}-namespace"
    rules = joined.down.ok("GET", role)["rules"]
    seen = [{**rule, "resources": [one for one in rule["resources"] if one != "daemonsets"]} for rule in rules]
    joined.down.merge(role, {"rules": seen})
    joined.assign("default", "Leaving")
    wait_until(lambda: "daemonsets.apps" in json.dumps(joined.progress().get("blocked", "")), SYNC_TIMEOUT_S)
    [why] = joined.progress()["blocked"]
    assert f"kubectl fairlead cluster join {joined.name}" in why["message"]
    assert "deletionTimestamp" not in _own(joined)["metadata"]
    joined.down.merge(role, {"rules": rules})
    wait_until(lambda: "deletionTimestamp" in _own(joined)["metadata"], SYNC_TIMEOUT_S)


@WIDE
def test_from_wide_to_narrow_and_back(joined: Joined) -> None:
    """Joined again in the other mode, the agent finds its namespaces, and has lost what it may not have any more."""
    joined.write("a")
    joined.wait_value("a", "1")
    path = f"/api/v1/namespaces/{joined.home()}/configmaps"
    uids = {item["metadata"]["uid"] for item in joined.down.ok("GET", path)["items"]}
    for number, wide in enumerate((False, True)):
        joined.stop_agent()
        joined.wide = wide
        joined.write_cluster_kubeconfig()
        joined.start_agent()
        joined.write("a", f"then-{number}")
        joined.wait_value("a", f"then-{number}")
        assert _agent(joined).call("GET", "/api/v1/secrets")[0] == (200 if wide else FORBIDDEN)
        assert uids <= {item["metadata"]["uid"] for item in joined.down.ok("GET", path)["items"]}


def test_rights_of_before_are_replaced(joined: Joined) -> None:
    """An agent with the rights of the version before, joined again, keeps what runs and may no more than any other."""
    agent = joined.manifest()
    joined.stop_agent()
    old = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]}]
    joined.down.merge(f"{RBAC}/clusterroles/{agent.id}", {"rules": old})
    bindings = f"{RBAC}/namespaces/{joined.home()}/rolebindings"
    joined.down.ok("DELETE", f"{bindings}/{agent.id}-namespace")
    joined.down.ok("DELETE", f"{RBAC}/clusterroles/{agent.id}-namespace")
    for kind in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        joined.down.ok("DELETE", f"/apis/admissionregistration.k8s.io/v1/{kind}/{agent.id}")
    joined.write_cluster_kubeconfig()
    joined.start_agent()
    joined.write("a")
    joined.wait_value("a", "1")
    assert _listed(joined, "kube-system") == (GOLDEN / "narrow-foreign.txt").read_text()
    assert _listed(joined, joined.home()) == (GOLDEN / "narrow-own.txt").read_text()


def test_no_more_watches_than_are_of_use(joined: Joined) -> None:
    """A namespace is watched for the kinds that something in it is of, and for Pods."""
    for name in ("a", "b"):
        joined.team.ok("POST", "/api/v1/namespaces", _namespace(f"shop-{name}"))
        joined.assign(f"shop-{name}")
        joined.write("x", namespace=f"shop-{name}")
        joined.wait_value("x", "1", f"shop-{name}")
    expected = {
        f"{plural} in {joined.home(namespace)}"
        for plural, namespace in itertools.product(("configmaps", "pods"), ("default", "shop-a", "shop-b"))
    }
    wait_until(lambda: _watched(joined) == expected, SYNC_TIMEOUT_S)


def _watched(joined: Joined) -> set[str]:
    """Return what the agent has begun to watch in namespaces, by the cluster's audit log."""
    found = set()
    for event in audit_events(joined.cluster):
        place = event.get("objectRef") or {}
        if event["user"].get("username") == joined.user and event["verb"] == "watch" and place.get("namespace"):
            found.add(f"{place['resource']} in {place['namespace']}")
    return found
