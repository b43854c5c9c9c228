"""What the syncer's tests ask and do on both sides, over plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path

import pytest

from fairlead_api import JsonObject
from fairlead_api.names import Locator, downstream_namespace, syncer_id
from fairlead_cli import downstream, manifests
from fairlead_cli.manifests import Agent
from fairlead_cli.registering import resource_of
from fairlead_machinery import kubeconfig
from fairlead_machinery.client import Client
from tests.support import processes
from tests.support.clusters import Cluster, audit_events, write_kubeconfig
from tests.support.proxy import FaultProxy
from tests.support.servers import PROGRAMS, FairleadServer
from tests.support.waiting import wait_until

BOTH_MODES = pytest.mark.parametrize("joined", ["narrow", "wide"], indirect=True)
"""Runs a test with an agent of each kind; without it an agent is narrow."""
ANSWER_TIMEOUT_S = 20.0
SYNC_TIMEOUT_S = 40.0
_WRITES = ("create", "update", "patch", "delete", "deletecollection")
_NO_WRITES = ("selfsubjectaccessreviews", "serviceaccounts/token")
AGENT_NAMESPACE = "fairlead-agents"
COMPUTE = {
    "apiVersion": "apis.kcp.io/v1alpha1",
    "kind": "APIBinding",
    "metadata": {"name": "kubernetes"},
    "spec": {"reference": {"export": {"path": "root:compute", "name": "kubernetes"}}},
}


@dataclass(frozen=True, slots=True)
class Api:
    """An API server at a base path, as one user; ``headers`` go with each request."""

    url: str
    token: str
    tls: ssl.SSLContext
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None, content_type: str = "") -> tuple[int, JsonObject]:
        """Send a request; return status and decoded body (``{}`` when it is not JSON)."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        headers["Content-Type"] = content_type or "application/json"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S, context=self.tls) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decoded(error.read())

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[HTTPResponse]:
        """Open an answer that goes on, such as a watch."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S, context=self.tls) as answer:
            yield answer

    def ok(self, method: str, path: str, body: object = None, content_type: str = "") -> JsonObject:
        """Send a request that must succeed."""
        code, answer = self.call(method, path, body, content_type)
        assert code < 400, f"{method} {path}: {code} {answer}"
        return answer

    def get(self, path: str) -> JsonObject | None:
        """Read an object; None when there is none."""
        code, answer = self.call("GET", path)
        assert code in {200, 404}, f"GET {path}: {code} {answer}"
        return answer if code == 200 else None

    def merge(self, path: str, body: object) -> JsonObject:
        """Send a merge patch."""
        return self.ok("PATCH", path, body, "application/merge-patch+json")


def _decoded(raw: bytes) -> JsonObject:
    with contextlib.suppress(ValueError):
        value = json.loads(raw)
        if isinstance(value, dict):
            return value
    return {}


@dataclass(slots=True)
class Joined:
    """
    A workspace, a cluster and the agent between them.

    Attributes:
        proxy: What the agent talks to instead of the server.
        name: Of the SyncTarget.
        uid: Of the SyncTarget.
        wide: Whether the agent is given rights for the whole cluster; see :class:`fairlead_cli.manifests.Agent`.
        environment: Added to the agent's, from its next start on.
    """

    server: FairleadServer
    cluster: Cluster
    proxy: FaultProxy
    proxy_authority: Path
    folder: Path
    number: int
    uid: str = ""
    workspace_cluster: str = ""
    agent: processes.Process | None = None
    agent_arguments: tuple[str, ...] = ()
    wide: bool = False
    _bootstrap: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def upstream_url(self) -> str:
        """Where the agent is told the control plane is."""
        return self.proxy.url

    @property
    def name(self) -> str:
        return f"east-{self.number}"

    @property
    def user(self) -> str:
        """The agent's user in the cluster, as in its audit log."""
        return f"system:serviceaccount:{AGENT_NAMESPACE}:{syncer_id(self.name, self.uid)}"

    def manifest(self, listed: tuple[tuple[str, str], ...] = ()) -> Agent:
        """Return the agent as ``cluster join`` would make it."""
        export = Api(f"{self.server.url}/clusters/root:compute", self.server.token, self.server.tls())
        schemas = export.ok("GET", "/apis/apis.kcp.io/v1alpha1/apiexports/kubernetes")["spec"]["latestResourceSchemas"]
        return Agent(
            name=self.name,
            uid=self.uid,
            cluster="root",
            server=self.proxy.url,
            ca="",
            resources=tuple(sorted(resource_of(name) for name in schemas)),
            namespace=AGENT_NAMESPACE,
            listed=listed,
            wide=self.wide,
        )

    async def _grant(self) -> Agent:
        credentials = kubeconfig.load([self.cluster.kubeconfig], explicit=True).credentials("")
        async with Client(credentials) as client:
            agent = self.manifest(await downstream.listed(client))
            assert await downstream.install(client, agent, manifests.rights(agent))
        return agent

    @property
    def base(self) -> Api:
        """The control plane as its administrator, without a workspace."""
        return Api(self.server.url, self.server.token, self.server.tls())

    @property
    def root(self) -> Api:
        return Api(f"{self.server.url}/clusters/root", self.server.token, self.server.tls())

    @property
    def team(self) -> Api:
        """The workspace."""
        return Api(f"{self.server.url}/clusters/root:team", self.server.token, self.server.tls())

    @property
    def down(self) -> Api:
        """The cluster as its administrator."""
        tls = ssl.create_default_context(cafile=str(self.cluster.certificate_authority))
        return Api(self.cluster.server, "administrator", tls)

    def home(self, namespace: str = "default") -> str:
        """Return the downstream namespace of one of the workspace's."""
        return downstream_namespace(Locator("root", self.name, self.uid, self.workspace_cluster, namespace))

    # --- joining -----------------------------------------------------------------------------------------------------

    def join(self) -> None:
        """Make workspace, SyncTarget, rights and agent, and assign ``default``."""
        self.root.ok("POST", "/apis/tenancy.kcp.io/v1alpha1/workspaces", _named("tenancy.kcp.io", "Workspace", "team"))
        self.team.ok("POST", "/apis/apis.kcp.io/v1alpha1/apibindings", COMPUTE)
        default = self.team.ok("GET", "/api/v1/namespaces/default")
        self.workspace_cluster = default["metadata"]["annotations"]["kcp.io/cluster"]
        self.make_target()
        self.write_cluster_kubeconfig()
        self.start_agent()
        self.assign("default")
        wait_until(
            lambda: self.down.get(f"/api/v1/namespaces/{self.home()}/configmaps/kcp-root-ca.crt"), SYNC_TIMEOUT_S
        )

    def make_target(self) -> None:
        """Create the SyncTarget and take its bootstrap token."""
        path = "/apis/workload.kcp.io/v1alpha1/synctargets"
        target = self.root.ok("POST", path, _named("workload.kcp.io", "SyncTarget", self.name))
        self.uid = target["metadata"]["uid"]
        self._bootstrap = self.base.ok("POST", f"/services/syncer/root/{self.name}/{self.uid}/bootstrap")["token"]

    def allow(self, **policy: object) -> None:
        """Let tenants ask more of the cluster, as its owner would; an agent that starts asks for that at once."""
        path = f"/apis/workload.kcp.io/v1alpha1/synctargets/{self.name}"
        self.root.merge(path, {"spec": {"tenantPolicy": policy}})
        self.stop_agent()
        self.start_agent()

    def write_cluster_kubeconfig(self) -> None:
        """Give the agent in the cluster what ``cluster join`` gives it, and its account's token in a kubeconfig."""
        agent = asyncio.run(self._grant())
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        account = f"/api/v1/namespaces/{agent.home}/serviceaccounts/{agent.id}"
        token = self.down.ok("POST", f"{account}/token", request)["status"]["token"]
        kubeconfig = self.folder / "cluster.kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        write_kubeconfig(kubeconfig, "cluster", self.cluster.server, self.cluster.certificate_authority, token)

    def start_agent(self) -> None:
        """Start the agent's process; it speaks to the control plane through the proxy."""
        upstream = self.folder / "upstream.kubeconfig"
        upstream.unlink(missing_ok=True)
        write_kubeconfig(upstream, "upstream", self.upstream_url, self.proxy_authority, "none")
        token = self.folder / "bootstrap"
        token.write_text(self._bootstrap)
        command: list[str | Path] = [
            PROGRAMS / "fairlead",
            "syncer",
            f"--from-kubeconfig={upstream}",
            "--from-cluster=root",
            f"--to-kubeconfig={self.folder / 'cluster.kubeconfig'}",
            f"--sync-target-name={self.name}",
            f"--sync-target-uid={self.uid}",
            f"--state-directory={self.folder / f'agent-{self.uid}'}",
            f"--bootstrap-token-file={token}",
            *(["--wide"] if self.wide else []),
            *self.agent_arguments,
        ]
        log = self.folder / "agent.log"
        self.agent = processes.start("fairlead syncer", command, log=log, env=self.environment)

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.stop()
            self.agent = None

    def kill_agent(self) -> None:
        """End the agent as a crash would."""
        assert self.agent is not None
        self.agent.stop(grace_s=0)

    # --- what users and the scheduler do -----------------------------------------------------------------------------

    def assign(self, namespace: str, state: str = "Sync", reason: str = "") -> None:
        """Record where a namespace runs, as the scheduler does."""
        uid = self.team.ok("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["uid"]
        target = self.root.ok("GET", f"/apis/workload.kcp.io/v1alpha1/synctargets/{self.name}")
        key = target["metadata"]["labels"]["internal.workload.kcp.io/key"]
        entry = {"uid": self.uid, "key": key, "cluster": "root", "name": self.name, "state": state, "reason": reason}
        spec = {"namespaceUID": uid, "targets": [entry]}
        path = "/apis/scheduling.fairlead.io/v1alpha1/assignments"
        if self.team.get(f"{path}/{namespace}") is None:
            self.team.ok("POST", path, {**_named("scheduling.fairlead.io", "Assignment", namespace), "spec": spec})
        else:
            self.team.merge(f"{path}/{namespace}", {"spec": spec})

    def progress(self, namespace: str = "default") -> JsonObject:
        """Return what the Assignment says of this target; ``{}`` when it has no word on it."""
        found = self.team.get(f"/apis/scheduling.fairlead.io/v1alpha1/assignments/{namespace}") or {}
        targets = (found.get("status") or {}).get("targets") or ()
        return next((target for target in targets if target["uid"] == self.uid), {})

    def write(self, name: str, value: str = "1", namespace: str = "default") -> JsonObject:
        """Create or change a ConfigMap in the workspace."""
        path = f"/api/v1/namespaces/{namespace}/configmaps"
        if self.team.get(f"{path}/{name}") is None:
            return self.team.ok("POST", path, config_map(name, value))
        return self.team.merge(f"{path}/{name}", {"data": {"k": value}})

    def down_map(self, name: str, namespace: str = "default") -> JsonObject | None:
        """Return a ConfigMap as the cluster has it."""
        return self.down.get(f"/api/v1/namespaces/{self.home(namespace)}/configmaps/{name}")

    def wait_value(self, name: str, value: str, namespace: str = "default") -> JsonObject:
        """Wait until the cluster's ConfigMap holds a value; return it."""
        wait_until(lambda: ((self.down_map(name, namespace) or {}).get("data") or {}).get("k") == value, SYNC_TIMEOUT_S)
        return self.down_map(name, namespace) or {}

    def agent_writes(self, *verbs: str, since: int = 0, taken: bool = False) -> list[str]:
        """
        Return the agent's writes of objects in the audit log, as ``verb resource/name``; reviews are none.

        Also those of agents of SyncTargets that had the name before. ``taken`` leaves out what was refused, or ended by
        who asked.
        """
        any_uid = self.user.rpartition("-")[0] + "-"
        found = []
        for event in list(audit_events(self.cluster))[since:]:
            reference = event.get("objectRef") or {}
            is_ours = (
                str(event["user"].get("username")).startswith(any_uid) and reference.get("resource") not in _NO_WRITES
            )
            code = (event.get("responseStatus") or {}).get("code", 0)
            if is_ours and event["verb"] in (verbs or _WRITES) and (not taken or 200 <= code < 300):
                found.append(f"{event['verb']} {reference.get('resource')}/{reference.get('name')}")
        return found

    def audited(self) -> int:
        """Return how many audit events there are by now."""
        return sum(1 for _ in audit_events(self.cluster))


def config_map(name: str, value: str) -> JsonObject:
    return {**_core("ConfigMap", name), "data": {"k": value}}


def _core(kind: str, name: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}


def _named(group: str, kind: str, name: str, version: str = "v1alpha1") -> JsonObject:
    return {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}}
