"""
A stolen agent token in the cluster, over all kinds and verbs that the cluster serves, for agents of both modes (S79).

The list is the cluster's own discovery, so that a kind it has more of is tried without anybody's doing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator

import pytest

from fairlead_api import JsonObject
from fairlead_cli import downstream, manifests
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client
from tests.integration.syncer.joined import Api
from tests.support.clusters import Cluster
from tests.support.waiting import wait_until

_SYNCED = (("apps", "deployments"), ("apps", "replicasets"), ("", "services"))
_MAY_SEE = {"/api/v1/namespaces", "/api/v1/namespaces/x"}
_WRITES = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETE"}


async def _install(cluster: Cluster, agent: manifests.Agent) -> None:
    async with Client(kubeconfig.load([cluster.kubeconfig], explicit=True).credentials("")) as client:
        assert await downstream.install(client, agent, manifests.rights(agent))


@pytest.fixture(params=[False, True], ids=["narrow", "wide"])
def agent(request: pytest.FixtureRequest) -> manifests.Agent:
    """Return an agent of each mode."""
    name = "wide-matrix" if request.param else "matrix"
    return manifests.Agent(name, "uid", "root", "https://127.0.0.1", "", _SYNCED, wide=request.param)


@pytest.fixture
def stolen(kube_cluster: Cluster, agent: manifests.Agent) -> Api:
    """The cluster as that agent, once what is granted and what holds it are in force."""
    tls = ssl.create_default_context(cafile=str(kube_cluster.certificate_authority))
    admin = Api(kube_cluster.server, "administrator", tls)
    asyncio.run(_install(kube_cluster, agent))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    account = f"/api/v1/namespaces/{agent.home}/serviceaccounts/{agent.id}/token"
    stolen = Api(kube_cluster.server, admin.ok("POST", account, request)["status"]["token"], tls)
    wait_until(lambda: stolen.call("GET", "/api/v1/namespaces")[0] == 200, 10)
    other = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"not-of-{agent.name}"}}
    wait_until(lambda: stolen.call("POST", "/api/v1/namespaces?dryRun=All", other)[0] == 403, 30)
    return stolen


def _everything(stolen: Api) -> Iterator[tuple[str, str, str, JsonObject]]:
    """Yield verb, path, plural and a body of all that the cluster serves, in ``kube-system`` where it is namespaced."""
    groups = stolen.ok("GET", "/apis")["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    for root in roots:
        for resource in stolen.ok("GET", root)["resources"]:
            plural, _, sub = resource["name"].partition("/")
            place = "/namespaces/kube-system" if resource["namespaced"] else ""
            version = root.removeprefix("/apis/").removeprefix("/api/")
            head = {"apiVersion": version, "kind": resource["kind"], "metadata": {"name": "x"}}
            for verb in resource["verbs"]:
                named = sub or verb in {"get", "update", "patch", "delete"}
                yield (
                    verb,
                    f"{root}{place}/{plural}" + ("/x" if named else "") + (f"/{sub}" if sub else ""),
                    plural,
                    head,
                )


def test_every_kind_and_verb_of_the_cluster(stolen: Api, agent: manifests.Agent) -> None:
    """Nothing is written where it is not the agent's; nothing is read but names, or, in wide mode, what it may list."""
    synced = {*(plural for _, plural in _SYNCED), "configmaps", "secrets", "pods"}
    opened, count = [], 0
    for verb, path, plural, head in _everything(stolen):
        if verb == "watch":
            continue  # granted beside list or not at all, as the golden lists of rights say
        count += 1
        method = _WRITES.get(verb, "GET")
        kind = "application/merge-patch+json" if method == "PATCH" else ""
        body = head if method in {"POST", "PUT", "PATCH"} else None
        code, _ = stolen.call(method, f"{path}?dryRun=All" if body else path, body, kind)
        is_seen = path in _MAY_SEE or (agent.wide and (verb == "list" or plural in synced))
        # A binding without a role cannot even be judged; of a wide agent a body that says nothing is refused first.
        is_refused = code == 403 or (code >= 400 and (agent.wide or plural == "rolebindings"))
        if not is_refused and not plural.startswith("selfsubject") and not (method == "GET" and is_seen):
            opened.append((verb, path, code))
    assert opened == []
    assert count > 300
