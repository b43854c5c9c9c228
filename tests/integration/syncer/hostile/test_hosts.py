"""Hosts of Ingresses in a real cluster, seen with the rights that joining gives an agent there (S63)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_cli import downstream, manifests
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client
from fairlead_syncer.hosts import Hosts, HostsUnknown
from fairlead_syncer.state import State
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.denied import PolicyDenied
from tests.integration.syncer.joined import Api
from tests.support.clusters import Cluster, write_kubeconfig

TARGET = SyncTarget("root", "hosts", "t1", "host", "443", b"secret")
KEY = Key("networking.k8s.io", "ingresses", "tenant", "default", "web")
AGENT = manifests.Agent("hosts", "t1", "root", "https://127.0.0.1", "", (("networking.k8s.io", "ingresses"),))
_INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
_HOST = "console.example"


def _ingress(host: str) -> JsonObject:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    head: JsonObject = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "console"}}
    return {**head, "spec": {"rules": [rule]}}


async def _installed(cluster: Cluster, agent: manifests.Agent, folder: Path, admin: Api) -> Path:
    """Give an agent what joining gives it; return a kubeconfig of its account."""
    async with Client(kubeconfig.load([cluster.kubeconfig], explicit=True).credentials("")) as client:
        assert await downstream.install(client, agent, manifests.rights(agent))
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    account = f"/api/v1/namespaces/{agent.home}/serviceaccounts/{agent.id}/token"
    token = admin.ok("POST", account, request)["status"]["token"]
    path = folder / f"{agent.name}.kubeconfig"
    write_kubeconfig(path, "cluster", cluster.server, cluster.certificate_authority, token)
    return path


@asynccontextmanager
async def _watching(path: Path, asked: Callable[[Key], None]) -> AsyncIterator[Hosts]:
    async with Client(kubeconfig.load([path], explicit=True).credentials("")) as client:
        hosts = Hosts(State(TARGET), client, asked)
        task = asyncio.create_task(hosts.run())
        try:
            yield hosts
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _answer(hosts: Hosts, host: str) -> Exception | None:
    """Return what a tenant hears who asks for a host, once that is known; None when they have it."""
    async with asyncio.timeout(30):
        while True:
            try:
                hosts.admit(KEY, _ingress(host))
            except Conflict:
                await asyncio.sleep(0.05)
            except (PolicyDenied, HostsUnknown) as error:
                return error
            else:
                return None


async def test_s63_hosts_of_a_real_cluster_are_seen(kube_cluster: Cluster, tmp_path: Path) -> None:
    """The owner's host is theirs until they give it up; an agent without the right gives nobody any host."""
    admin = Api(
        kube_cluster.server,
        "administrator",
        ssl.create_default_context(cafile=str(kube_cluster.certificate_authority)),
    )
    admin.ok("POST", _INGRESSES, _ingress(_HOST))
    kubeconfigs = [
        await _installed(kube_cluster, agent, tmp_path, admin)
        for agent in (AGENT, replace(AGENT, name="blind", resources=()))
    ]
    freed = asyncio.Event()
    async with _watching(kubeconfigs[0], lambda _: freed.set()) as hosts:
        assert isinstance(await _answer(hosts, _HOST), PolicyDenied)
        assert await _answer(hosts, "shop.example") is None
        assert isinstance(await _answer(hosts, "*.example"), PolicyDenied)
        await asyncio.to_thread(admin.ok, "DELETE", f"{_INGRESSES}/console")
        async with asyncio.timeout(30):
            await freed.wait()
        assert await _answer(hosts, _HOST) is None
    async with _watching(kubeconfigs[1], lambda _: None) as hosts:
        assert isinstance(await _answer(hosts, "shop.example"), HostsUnknown)
