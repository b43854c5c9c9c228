"""
What is deleted can be restored: one object, and a namespace with its content; also what a cluster had.

Aspects: the commands, from the user's word to the new object in the cluster; who may see what; what an agent adds.
"""

from __future__ import annotations

import json

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Api, Joined
from tests.support.servers import run_program
from tests.support.waiting import wait_until


def _run(joined: Joined, *arguments: str, code: int = 0) -> str:
    env = {"KUBECONFIG": str(joined.server.kubeconfig), "HOME": str(joined.folder)}
    done = run_program("kubectl-fairlead", *arguments, "-w", ":root:team", env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def _listed(joined: Joined, *arguments: str) -> dict[str, JsonObject]:
    items = json.loads(_run(joined, "bin", "-o", "json", *arguments))["items"]
    return {f"{item['resource']}/{item['name']}": item for item in items}


def _secret(name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"k": "hidden"}}


def _account(joined: Joined, name: str, resources: list[str]) -> Api:
    """Return a user of the workspace who may read some resources in ``default`` and no others."""
    accounts, rbac = "/api/v1/namespaces/default/serviceaccounts", "/apis/rbac.authorization.k8s.io/v1"
    metadata = {"metadata": {"name": name}}
    joined.team.ok("POST", accounts, metadata)
    rules = [{"apiGroups": [""], "resources": resources, "verbs": ["get", "list"]}] if resources else []
    joined.team.ok("POST", f"{rbac}/namespaces/default/roles", {**metadata, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    body = {**metadata, "subjects": [subject], "roleRef": role}
    joined.team.ok("POST", f"{rbac}/namespaces/default/rolebindings", body)
    token = joined.team.ok("POST", f"{accounts}/{name}/token", {"spec": {}})["status"]["token"]
    return Api(joined.server.url, token, joined.server.tls())


def test_an_object_comes_back(joined: Joined) -> None:
    """Deleted above and below, restored above, and brought to the cluster again as a new object."""
    joined.write("settings", "precious")
    before = joined.wait_value("settings", "precious")
    path = "/api/v1/namespaces/default/configmaps/settings"
    old = joined.team.ok("GET", path)
    joined.team.ok("DELETE", path)
    wait_until(lambda: joined.down_map("settings") is None, SYNC_TIMEOUT_S)
    item = _listed(joined, "-n", "default")["configmaps/settings"]
    assert (item["cause"], item["deletedBy"], item["restorable"]) == ("Deleted", "shard-admin", True)
    assert [one["name"] for one in item["clusters"]] == [joined.name]
    entry = joined.base.ok("GET", f"/services/bin/root:team/{item['uid']}?namespace=default")
    assert entry["lastSeen"][joined.uid]["metadata"]["uid"] == before["metadata"]["uid"]
    assert "configmaps/settings" in _run(joined, "bin", "-n", "default")
    assert "restored" in _run(joined, "restore", "configmap/settings", "-n", "default")
    new = joined.team.ok("GET", path)
    assert new["data"] == old["data"]
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    after = joined.wait_value("settings", "precious")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert "is there" in _run(joined, "restore", "configmap/settings", "-n", "default", code=1)
    assert "not in the bin" in _run(joined, "restore", "configmap/never", "-n", "default", code=1)


def test_a_namespace_comes_back_with_its_content(joined: Joined) -> None:
    """What was deleted before it stays deleted; who asked for its end is told for all that went with it."""
    joined.team.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "shop", "labels": {"tier": "gold"}}})
    joined.assign("shop")
    for name in ("before", "one", "two"):
        joined.write(name, namespace="shop")
    joined.team.ok("POST", "/api/v1/namespaces/shop/secrets", _secret("password"))
    wait_until(lambda: joined.down_map("two", "shop"), SYNC_TIMEOUT_S)
    joined.team.ok("DELETE", "/api/v1/namespaces/shop/configmaps/before")
    joined.team.ok("DELETE", "/api/v1/namespaces/shop")
    wait_until(lambda: joined.team.get("/api/v1/namespaces/shop") is None, SYNC_TIMEOUT_S)
    kept = _listed(joined)
    assert kept["secrets/password"]["cause"] == "NamespaceDeleted"
    assert kept["secrets/password"]["deletedBy"] == "shard-admin"
    assert "hidden" not in json.dumps(kept)
    planned = _run(joined, "restore", "namespace/shop", "--dry-run")
    assert "before" not in planned
    _run(joined, "restore", "namespace/shop")
    assert joined.team.ok("GET", "/api/v1/namespaces/shop")["metadata"]["labels"]["tier"] == "gold"
    names = {one["metadata"]["name"] for one in joined.team.ok("GET", "/api/v1/namespaces/shop/configmaps")["items"]}
    assert names >= {"one", "two"}
    assert "before" not in names
    assert joined.team.ok("GET", "/api/v1/namespaces/shop/secrets/password")["data"] == {"k": "aGlkZGVu"}


def test_a_bin_shows_no_more_than_its_workspace_did(joined: Joined) -> None:
    """Who may not read Secrets sees none there either; a stranger to the workspace sees nothing; nobody writes."""
    joined.write("plain")
    joined.team.ok("POST", "/api/v1/namespaces/default/secrets", _secret("password"))
    joined.team.ok("DELETE", "/api/v1/namespaces/default/configmaps/plain")
    joined.team.ok("DELETE", "/api/v1/namespaces/default/secrets/password")
    secret = _listed(joined)["secrets/password"]["uid"]
    reader = _account(joined, "reader", ["configmaps"])
    listed = reader.ok("GET", "/services/bin/root:team?namespace=default")["items"]
    assert [one["name"] for one in listed] == ["plain"]
    assert reader.call("GET", f"/services/bin/root:team/{secret}?namespace=default")[0] == 404
    assert reader.call("POST", "/services/bin/root:team", {})[0] == 405
    nobody = _account(joined, "nobody", [])
    assert nobody.ok("GET", "/services/bin/root:team")["items"] == []
    assert nobody.call("GET", "/services/bin/root:other")[0] == 403
