"""Checks of an agent in its cluster, where a context for that is known."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairlead_api import JsonObject, names
from fairlead_api.errors import Forbidden, NotFound
from fairlead_cli import downstream, kinds, manifests, registering
from fairlead_cli.checking import certificates, comparing, leftovers
from fairlead_cli.checking.asking import Discovery, some
from fairlead_cli.checking.catalogue import AGENT, check
from fairlead_cli.checking.clusters import Joined
from fairlead_cli.checking.model import Category, Finding, Level, not_verified
from fairlead_cli.checking.plane import Plane
from fairlead_cli.manifests import Agent
from fairlead_cli.process import TOKEN, UPSTREAM, AgentFolder
from fairlead_cli.registering import CLUSTER_UID, Registration
from fairlead_machinery import kubeconfig
from fairlead_machinery.kubeconfig import Kubeconfig

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_TOKEN_SOON = timedelta(minutes=5)
"""The agent renews its own token long before."""
_POD_SECURITY = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True, slots=True)
class Way:
    """
    How a cluster is reached.

    Attributes:
        kubeconfig: Paths as in KUBECONFIG; "" for where kubectl looks.
        context: "" for the current one.
    """

    kubeconfig: str
    context: str

    def read(self) -> Kubeconfig:
        """Read the files."""
        paths = [Path(one) for one in self.kubeconfig.split(os.pathsep) if one]
        return kubeconfig.load(paths or kubeconfig.default_paths(os.environ), explicit=len(paths) == 1)


@dataclass(slots=True)
class AgentChecks:
    """
    One agent and its cluster.

    Attributes:
        target: The SyncTarget.
        way: How its cluster is reached.
        folder: Where the agent is if it is a process on this machine.
    """

    plane: Plane
    joined: Joined
    target: JsonObject
    way: Way
    folder: AgentFolder
    stack: AsyncExitStack
    _cluster: list[Client] = field(default_factory=list)

    @property
    def cluster(self) -> Client:
        """The connection; the first check makes it."""
        return self._cluster[0]

    @property
    def uid(self) -> str:
        """Of the SyncTarget."""
        return str(self.target["metadata"]["uid"])

    @property
    def id(self) -> str:
        """What the agent's objects are called."""
        return names.syncer_id(self.target["metadata"]["name"], self.uid)

    def category(self) -> Category:
        """Return the checks."""
        work = {
            "agent-cluster": self.reachable,
            "agent-running": self.running,
            "agent-pods": self.pods,
            "agent-rights": self.rights,
            "agent-namespace": self.namespace,
            "agent-upstream": self.upstream,
            "agent-credentials": self.credentials,
            "agent-leftovers": self.leftovers,
        }
        checks = [check(id_, one) for id_, one in work.items()]
        return Category(AGENT, self.target["metadata"]["name"], checks, self.joined.forget)

    async def reachable(self) -> Finding | None:
        """The context leads to the cluster that was joined."""
        from fairlead_machinery.client import Client  # noqa: PLC0415 - help is fast

        config = await asyncio.to_thread(self.way.read)
        if not self._cluster:
            made = Client(config.credentials(self.way.context), user_agent="kubectl-fairlead")
            self._cluster.append(await self.stack.enter_async_context(made))
        uid = await downstream.cluster_uid(self.cluster, self.way.context or config.current_context)
        known = (self.target["metadata"].get("annotations") or {}).get(CLUSTER_UID, "")
        if known and known != uid:
            text = f'context "{self.way.context}" is another cluster: its uid is {uid}, the one joined has {known}'
            return Finding(text, "name the cluster's own: --context CONTEXT")
        return None

    async def agent(self) -> Agent:
        """Return the agent as this version would make it."""
        session = self.plane.session
        registration = Registration(self.target, created=False)
        server = registration.external_url or session.place.front
        return await registering.agent_of(session, registration, server, "")

    async def _joined_now(self) -> Agent:
        """Return the same as join would make it in this cluster today, in the mode that it is in."""
        agent = await self.agent()
        listed, wide = await downstream.listed(self.cluster), await downstream.is_wide(self.cluster, agent)
        policy = await downstream.has_policies(self.cluster)
        privileged = policy and await downstream.allows_privileged(self.cluster, agent)
        return replace(agent, listed=listed, wide=wide, policy=policy, privileged=privileged)

    async def running(self) -> Finding | None:
        """Its process runs here, or a replica of its Deployment is ready."""
        name = self.target["metadata"]["name"]
        if await self._is_process():
            if await asyncio.to_thread(self.folder.pid, self.uid):
                return None
            words = await asyncio.to_thread(self.folder.last_words)
            fix = f"kubectl fairlead cluster join {name} --as-process"
            return Finding(f"its process has ended: {words or 'it left no word'}", fix)
        try:
            deployment = await self.cluster.get(kinds.DEPLOYMENTS, self.id, namespace=self.id)
        except NotFound:
            if registering.is_ready(self.target):
                return not_verified(
                    "it runs elsewhere: as a process of another machine, or in another namespace",
                    "run this check there",
                )
            return Finding(f"there is no Deployment {self.id}", f"kubectl fairlead cluster join {name}")
        return self._replicas(deployment)

    def _replicas(self, deployment: JsonObject) -> Finding | None:
        """Judge how many are ready: one is at work, the others could take over."""
        wanted = (deployment.get("spec") or {}).get("replicas", 1)
        ready, fix = (deployment.get("status") or {}).get("readyReplicas", 0), f"kubectl -n {self.id} describe pods"
        if not wanted:
            return Finding(
                "its Deployment is scaled to none", f"kubectl -n {self.id} scale deployment {self.id} --replicas=1"
            )
        if not ready:
            return Finding(f"none of the {wanted} replicas of its Deployment is ready", fix)
        if ready < wanted:
            return Finding(
                f"{ready} of {wanted} replicas are ready: fewer can take over than wanted", fix, Level.WARNING
            )
        return None

    async def pods(self) -> Finding | None:
        """No Pod of it is in trouble."""
        if await self._is_process():
            return None
        trouble = await downstream.pod_trouble(self.cluster, self.id, self.id)
        return Finding(trouble, f"kubectl -n {self.id} describe pods") if trouble else None

    async def rights(self) -> Finding | None:
        """Who the agent is, and what it may do, is as this version would make it."""
        agent, discovery = await self._joined_now(), Discovery(self.cluster)
        found: list[str] = []
        for wanted in manifests.rights(agent):
            if wanted["kind"] == "Namespace":
                continue  # the next check's
            found += await self._differences(discovery, wanted)
        found += await self._other_bindings(agent)
        if not found:
            return None
        fix = f"kubectl fairlead cluster join {agent.name}, which renews them"
        return Finding(some(found, most=3), fix)

    async def _differences(self, discovery: Discovery, wanted: JsonObject) -> list[str]:
        served = await discovery.of(wanted)
        if served is None:
            return [f"the cluster does not serve {wanted['kind']} of {wanted['apiVersion']}"]
        gvr, namespaced = served
        try:
            live = await self.cluster.get(
                gvr, wanted["metadata"]["name"], namespace=wanted["metadata"].get("namespace", "") if namespaced else ""
            )
        except NotFound:
            return [f"{comparing.called(wanted)} is missing"]
        return comparing.differences(wanted, live)

    async def _other_bindings(self, agent: Agent) -> list[str]:
        """Name ClusterRoleBindings that give the agent more than we do; whoever may not list them sees none."""
        ours = {one["metadata"]["name"] for one in manifests.rights(agent) if one["kind"] == "ClusterRoleBinding"}
        try:
            bindings, _ = await self.cluster.list(kinds.CLUSTER_ROLE_BINDINGS)
        except Forbidden:
            return []
        return [
            f"clusterrolebinding/{one['metadata']['name']} gives it clusterrole/{one['roleRef']['name']}"
            for one in bindings
            if one["metadata"]["name"] not in ours and any(_is(subject, agent) for subject in one.get("subjects") or ())
        ]

    async def namespace(self) -> Finding | None:
        """Whatever gets into its namespace cannot be privileged."""
        try:
            found = await self.cluster.get(kinds.NAMESPACES, self.id)
        except NotFound:
            return Finding(f"there is no namespace {self.id}", level=Level.ERROR)
        level = (found["metadata"].get("labels") or {}).get(_POD_SECURITY, "")
        if level == "restricted":
            return None
        text = f"namespace {self.id} enforces {level or 'no level'}"
        return Finding(text, f"kubectl label namespace {self.id} --overwrite {_POD_SECURITY}=restricted")

    async def upstream(self) -> Finding | None:
        """The address and the authority it was given are the control plane's of now."""
        session = self.plane.session
        if await self._is_process():
            text = await asyncio.to_thread((self.folder.path / UPSTREAM).read_text)
        else:
            text = await downstream.known_key(self.cluster, self.id, self.id, manifests.KUBECONFIG_KEY)
            if not text:
                return not_verified("its kubeconfig cannot be read here")
        entry = json.loads(text)["clusters"][0]["cluster"]
        fix = f"kubectl fairlead cluster join {self.target['metadata']['name']}, then restart the agent"
        authority = base64.b64decode(entry.get("certificate-authority-data", ""))
        if authority != session.top.credentials.ca:
            return Finding("it trusts another certificate authority than the control plane's", fix)
        wanted = (await self.agent()).server
        goes_to = entry["server"]
        if urlsplit(goes_to).netloc != urlsplit(wanted).netloc and not await self._is_process():
            text = f"it goes to {goes_to}, the control plane says it is at {wanted}"
            return Finding(text, fix, Level.WARNING)
        return None

    async def credentials(self) -> Finding | None:
        """The token of a process is good; that of a Pod is the kubelet's business."""
        if not await self._is_process():
            return None
        path = self.folder.path / TOKEN
        fix = f"kubectl fairlead cluster join {self.target['metadata']['name']} --as-process"
        token = (await asyncio.to_thread(path.read_text)).strip()
        ends_s = certificates.expiry_of(token)
        if ends_s is None:
            return not_verified(f"the token in {path} does not say when it ends")
        left = datetime.fromtimestamp(ends_s, UTC) - datetime.now(UTC)
        if left > _TOKEN_SOON:
            return None
        when = datetime.fromtimestamp(ends_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if left <= timedelta():
            return Finding(f"its token for the cluster ended at {when}", fix)
        return Finding(f"its token for the cluster ends at {when}, and it does not renew it", fix, Level.WARNING)

    async def leftovers(self) -> Finding | None:
        """No namespace or role stands for a SyncTarget that nobody knows."""
        known = await leftovers.known_targets(self.plane, await self.joined.all())
        return await leftovers.look(self.cluster, known)

    async def _is_process(self) -> bool:
        """Tell whether the agent is, or was, a process of this machine."""
        record = await asyncio.to_thread(self.folder.record)
        return record.get("uid") == self.uid and bool(record.get("process"))


def _is(subject: JsonObject, agent: Agent) -> bool:
    kind, name, namespace = subject.get("kind"), subject.get("name"), subject.get("namespace")
    return (kind, name, namespace) == ("ServiceAccount", agent.id, agent.home)
