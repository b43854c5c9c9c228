"""Both sides of an agent with everything between them breakable; the judge is the cluster's own audit log."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fairlead_api import JsonObject
from tests.integration.syncer.joined import SYNC_TIMEOUT_S, Joined, _core
from tests.support.chaos import Link
from tests.support.clusters import audit_events, write_kubeconfig
from tests.support.process_cluster import ProcessCluster
from tests.support.proxy import FaultProxy
from tests.support.waiting import wait_until

NAME = "kubernetes.default.svc"
"""What the agent calls the control plane: certificates of the tests are good for it, and a name can be lost."""
INSIDE = Path(__file__).with_name("inside")
NO_BRAKE = ("--deletion-share=1",)
"""All cases share one target, and agents count what earlier ones deleted: together that is a burst."""
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@dataclass(slots=True, kw_only=True)
class Stage(Joined):
    """
    A workspace, a cluster, an agent; each way is agent, chaos link, fault proxy, server.

    Attributes:
        up, down_link: The agent's ways to the control plane and to the cluster.
        below: The proxy before the cluster, as ``proxy`` is before the control plane.
        real: The cluster.
        may_delete: What the agent may delete in the test that runs, as ``resource/name``.
    """

    up: Link
    down_link: Link
    below: FaultProxy
    real: ProcessCluster
    may_delete: set[str] = field(default_factory=set)
    began: int = 0

    @property
    def upstream_url(self) -> str:
        """Where the agent is told the control plane is."""
        return f"https://{NAME if 'FAULTS_NAMES' in self.environment else '127.0.0.1'}:{self.up.port}"

    def write_cluster_kubeconfig(self) -> None:
        """Lead the agent to the cluster by the link."""
        Joined.write_cluster_kubeconfig(self)
        kubeconfig = self.folder / "cluster.kubeconfig"
        token = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
        kubeconfig.unlink()
        server = f"https://127.0.0.1:{self.down_link.port}"
        write_kubeconfig(kubeconfig, "cluster", server, self.proxy_authority, token)

    def start_agent(self, **environment: str) -> None:
        """Start the agent, with more in its environment for this life."""
        self.environment = environment
        if any(name.startswith("FAULTS_") for name in environment):
            path = os.pathsep.join(filter(None, [str(INSIDE), os.environ.get("PYTHONPATH", "")]))
            self.environment = {"PYTHONPATH": path, **environment}
        Joined.start_agent(self)

    def restart_agent(self, **environment: str) -> None:
        """Kill the agent and start it again."""
        if self.agent is not None and self.agent.return_code is None:
            self.kill_agent()
        self.start_agent(**environment)

    def mend(self) -> None:
        """Let everything work, with an agent as usual."""
        for proxy in (self.proxy, self.below):
            proxy.heal()
        for link in (self.up, self.down_link):
            link.calm()
        is_usual = self.agent_arguments == NO_BRAKE and not self.environment
        if self.agent is None or self.agent.return_code is not None or not is_usual:
            self.agent_arguments = NO_BRAKE
            self.restart_agent()

    # --- what is asked of it -----------------------------------------------------------------------------------------

    def deleted(self) -> set[str]:
        """Return what the agent deleted in this test."""
        return {line.split()[1] for line in self.agent_writes("delete", "deletecollection", since=self.began)}

    def judge(self) -> None:
        """Hold the agent to what it might delete, and to being there still."""
        code = None if self.agent is None else self.agent.return_code
        assert code is None, f"the agent ended with {code}"
        more = self.deleted() - self.may_delete
        assert not more, f"deleted without a cause: {sorted(more)}"

    def events_of(self, resource: str, name: str, verb: str) -> list[JsonObject]:
        """Return this test's audit events of the agent for one object."""
        found = []
        for event in list(audit_events(self.cluster))[self.began :]:
            reference = event.get("objectRef") or {}
            is_it = (reference.get("resource"), reference.get("name"), event["verb"]) == (resource, name, verb)
            if is_it and event["user"]["username"] == self.user:
                found.append(event)
        return found

    def uid_below(self, name: str) -> str:
        """Return the uid of the cluster's ConfigMap; "" when there is none."""
        return str(((self.down_map(name) or {}).get("metadata") or {}).get("uid", ""))

    def report(self, path: str) -> JsonObject:
        """Return what the Assignment says against an object at a path, an entry of ``blocked``; {} for nothing."""
        resource, name = path.split("/")[-2:]
        for one in self.progress().get("blocked") or ():
            if one.get("name") == name and one.get("resource") == resource:
                return dict(one)
        return {}

    def condition(self, type_: str) -> JsonObject:
        """Return a condition of the SyncTarget; {} when it has none of that type."""
        target = self.root.ok("GET", f"/apis/workload.kcp.io/v1alpha1/synctargets/{self.name}")
        found = (target.get("status") or {}).get("conditions") or ()
        return next((dict(one) for one in found if one["type"] == type_), {})

    def make_namespace(self, name: str) -> None:
        """Make a namespace in the workspace and have it run here."""
        self.team.ok("POST", "/api/v1/namespaces", _core("Namespace", name))
        wait_until(lambda: self.team.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"), SYNC_TIMEOUT_S)
        self.assign(name)

    def drop_namespace(self, name: str) -> None:
        """Delete a namespace in the workspace and wait until it is gone on both sides."""
        self.may_delete |= {f"namespaces/{self.home(name)}"}
        self.team.ok("DELETE", f"/api/v1/namespaces/{name}")
        wait_until(lambda: self.team.get(f"/api/v1/namespaces/{name}") is None, SYNC_TIMEOUT_S)
        self.forget(name)
        wait_until(lambda: self.down.get(f"/api/v1/namespaces/{self.home(name)}") is None, SYNC_TIMEOUT_S)

    def forget(self, namespace: str) -> None:
        """Delete the Assignment of a namespace that is gone, as the scheduler does."""
        self.team.call("DELETE", f"/apis/scheduling.fairlead.io/v1alpha1/assignments/{namespace}")

    def wait_gone(self, name: str, namespace: str = "default") -> None:
        """Wait until the cluster has no such ConfigMap."""
        wait_until(lambda: self.down_map(name, namespace) is None, SYNC_TIMEOUT_S)

    def asked(self, is_it: Callable[[str, str], bool], since: int) -> int:
        """Count requests of the agent to the control plane since there were ``since`` of them."""
        return sum(is_it(method, path) for method, path in self.proxy.seen[since:])


def deployment(name: str, image: str = "web:1") -> JsonObject:
    """Return a Deployment that the cluster takes."""
    labels = {"app": name}
    container = {"name": "c", "image": image}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
