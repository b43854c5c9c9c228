"""Checks of a cluster that is to be joined: nothing is installed, and what has to be tried is tried as a dry run."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fairlead_api import JsonObject, names
from fairlead_api.errors import ApiError, Forbidden, NotFound
from fairlead_cli import downstream, kinds, manifests, registering
from fairlead_cli.checking import asking, comparing, probe, versions
from fairlead_cli.checking.asking import Discovery, some
from fairlead_cli.checking.catalogue import BEFORE, check
from fairlead_cli.checking.clusters import missing_apis
from fairlead_cli.checking.model import Category, Check, Finding, Level, not_verified
from fairlead_cli.checking.plane import Plane, clock_finding
from fairlead_cli.failure import Failure
from fairlead_cli.manifests import Agent
from fairlead_cli.options import Server
from fairlead_cli.registering import CLUSTER_UID, Registration
from fairlead_machinery.client import Gvr

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

_NO_UID = "00000000-0000-0000-0000-000000000000"
_MANAGER = "kubectl-fairlead"
_PART_OF = ("app.kubernetes.io/part-of", "fairlead")
_TENANTS = re.compile(r"kcp-[0-9a-z]{12}")
"""What agents call the namespaces they make."""
_SCHEMAS = Gvr("apis.kcp.io", "v1alpha1", "apiresourceschemas")
_POLICIES = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What is to be joined.

    Attributes:
        name: Of the SyncTarget; "" for the context's, as far as that is a name.
        as_process: The agent will run on this machine.
        image: Of the agent, and of the Pod that asks from inside.
        probe_namespace, probe_timeout_s: Where that Pod is made, and how long it may take.
    """

    name: str
    as_process: bool
    image: str
    probe_namespace: str
    probe_timeout_s: float


@dataclass(slots=True)
class Before:
    """
    A cluster that is to be joined.

    Attributes:
        plane: Where it is to be joined.
        physical: The cluster.
    """

    plane: Plane
    physical: Server
    wanted: Wanted
    stack: AsyncExitStack
    _cluster: list[Client] = field(default_factory=list)
    _agent: list[Agent] = field(default_factory=list)

    @property
    def cluster(self) -> Client:
        """The connection; the first check makes it."""
        return self._cluster[0]

    def category(self) -> Category:
        """Return the checks; an agent on this machine needs no way from inside the cluster."""
        work = {
            "join-cluster": self.reachable,
            "join-kubernetes": self.kubernetes,
            "join-policy-api": self.policy_api,
            "join-rights": self.rights,
            "join-names": self.names,
            "join-admission": self.admission,
            "join-apis": self.apis,
            "join-clock": self.clock,
        }
        if not self.wanted.as_process:
            work["join-address"] = self.address
        checks = [check(id_, one) for id_, one in work.items()]
        if not self.wanted.as_process:
            checks.append(self._reach())
        return Category(BEFORE, self.name, checks, self.forget)

    def _reach(self) -> Check:
        """Return the check that takes as long as the user gives it, and the removal of its Pod."""
        made = check("join-reach", self.reach)
        return replace(made, spec=replace(made.spec, timeout_s=self.wanted.probe_timeout_s + probe.MARGIN_S))

    def forget(self) -> None:
        """Have everything asked anew."""
        self.plane.forget()
        self._agent.clear()

    @property
    def name(self) -> str:
        """Name of the SyncTarget."""
        return self.wanted.name or re.sub(r"[^a-z0-9-]+", "-", self.physical.context.lower()).strip("-") or "cluster"

    async def reachable(self) -> Finding | None:
        """It answers, and is no workspace of ours."""
        if not self._cluster:
            client, known = await self.stack.enter_async_context(downstream.reached(self.physical))
            self._cluster.append(client)
            self.physical = replace(self.physical, context=known.context)
        if "/clusters/" in self.cluster.base:
            text = f'context "{self.physical.context}" is a workspace, not a cluster'
            return Finding(text, "name the cluster's: --context CONTEXT; --from-context is Fairlead's")
        await downstream.cluster_uid(self.cluster, self.physical.context)
        return None

    async def kubernetes(self) -> Finding | None:
        """Its version is one that is supported."""
        return versions.kubernetes(await asking.git_version(self.cluster))

    async def policy_api(self) -> Finding | None:
        """Without it the agent cannot be held to the namespaces it made."""
        served = {one["name"] for one in await Discovery(self.cluster).resources("admissionregistration.k8s.io/v1")}
        missing = [name for name in _POLICIES if name not in served]
        if not missing:
            return None
        return Finding(f"it does not serve {some(missing)} of admissionregistration.k8s.io/v1", "upgrade the cluster")

    async def agent(self) -> Agent:
        """Return the agent as join would make it; one that is not registered yet has no uid."""
        if not self._agent:
            session = self.plane.session
            registration = Registration(await self._target(), created=False)
            agent = await registering.agent_of(session, registration, await self.server(), "")
            self._agent.append(
                replace(agent, image=self.wanted.image, policy=await downstream.has_policies(self.cluster))
            )
        return self._agent[0]

    async def _target(self) -> JsonObject:
        session = self.plane.session
        stand_in = {
            "metadata": {"name": self.name, "uid": _NO_UID, "annotations": {"kcp.io/cluster": session.place.path}},
            "spec": {"supportedAPIExports": [registering.DEFAULT_EXPORT]},
        }
        return await registering.find(session.here, self.name) or stand_in

    async def _objects(self) -> list[JsonObject]:
        agent = await self.agent()
        return manifests.rights(agent) if self.wanted.as_process else manifests.manifest(agent)

    async def rights(self) -> Finding | None:
        """The user may create, change and remove each kind of object that join makes."""
        discovery = Discovery(self.cluster)
        wanted = []
        for one in await self._objects():
            served = await discovery.of(one)
            if served is not None:
                where = one["metadata"].get("namespace", "") if served[1] else ""
                wanted += [(served[0], verb, where) for verb in ("get", "create", "patch", "delete")]
        missing = await asking.refused(self.cluster, wanted)
        if not missing:
            return None
        return Finding(f"you may not {some(missing)}", "join as a user who may, such as a cluster-admin")

    async def names(self) -> Finding | None:
        """Nothing of somebody else's, and nothing of an earlier join, has a name that join or the agent would take."""
        if (found := await self._joined_already()) is not None:
            return found
        ours = (await self.agent()).id
        namespaces, _ = await self.cluster.list(kinds.NAMESPACES)
        roles, _ = await self.cluster.list(kinds.CLUSTER_ROLES)
        bindings, _ = await self.cluster.list(kinds.CLUSTER_ROLE_BINDINGS)
        return names_finding(self.name, ours, [*namespaces, *roles, *bindings])

    async def _joined_already(self) -> Finding | None:
        session = self.plane.session
        uid = await downstream.cluster_uid(self.cluster, self.physical.context)
        found, _ = await session.here.list(kinds.SYNC_TARGETS)
        for one in found:
            metadata = one["metadata"]
            known = (metadata.get("annotations") or {}).get(CLUSTER_UID, "")
            if metadata["name"] == self.name:
                try:
                    registering.check_same_cluster(one, uid)
                except Failure as failure:
                    return Finding(failure.message)
            elif known == uid:
                text = f"this cluster is joined already, as {metadata['name']}: its room would count twice"
                return Finding(text, f"kubectl fairlead cluster describe {metadata['name']}", Level.WARNING)
        return None

    async def admission(self) -> Finding | None:
        """A dry run of each object is admitted; what lives in the namespace to come is tried in another one."""
        discovery, found = Discovery(self.cluster), []
        has_home = await self._exists((await self.agent()).home)
        for one in await self._objects():
            served = await discovery.of(one)
            if served is None:
                found.append(f"it does not serve {one['kind']} of {one['apiVersion']}")
                continue
            metadata = dict(one["metadata"])
            if served[1] and not has_home:
                metadata["namespace"] = self.wanted.probe_namespace
            try:
                await self._dry_run(served[0], {**one, "metadata": metadata})
            except ApiError as error:
                found.append(f"{comparing.called(one)}: {error}")
        return Finding(some(found, most=3), "mend what refuses it, or join as another user") if found else None

    async def _dry_run(self, gvr: Gvr, body: JsonObject) -> None:
        namespace = body["metadata"].get("namespace", "")
        query = {"dryRun": "All"}
        await self.cluster.apply(gvr, body, field_manager=_MANAGER, force=True, namespace=namespace, query=query)

    async def _exists(self, namespace: str) -> bool:
        try:
            await self.cluster.get(kinds.NAMESPACES, namespace)
        except NotFound:
            return False
        return True

    async def apis(self) -> Finding | None:
        """Each exported resource is served there in a version in common."""
        try:
            exported = await exported_versions(self.plane, await self._target())
        except (Forbidden, NotFound) as error:
            return not_verified(f"what is exported cannot be read: {error}")
        discovery, missing = Discovery(self.cluster), []
        for (group, plural), wanted in sorted(exported.items()):
            served = [one for one in wanted if await self._serves(discovery, group, one, plural)]
            if not served:
                missing.append(".".join(part for part in (plural, group) if part) + f" (not served as {some(wanted)})")
        return missing_apis(missing)

    async def _serves(self, discovery: Discovery, group: str, version: str, plural: str) -> bool:
        api_version = f"{group}/{version}" if group else version
        return any(one["name"] == plural for one in await discovery.resources(api_version))

    async def clock(self) -> Finding | None:
        """All three agree on the time, within what proofs of identity allow."""
        offsets_s = {"the control plane": await self.plane.offset_s()}
        offsets_s["the cluster"] = await asking.clock_offset_s(self.cluster)
        return clock_finding(offsets_s)

    async def server(self) -> str:
        """Return the URL under which the control plane wants to be reached, without path."""
        session = self.plane.session
        try:
            told = (await session.here.get(kinds.LOGICAL_CLUSTERS, "cluster")).get("status") or {}
        except (Forbidden, NotFound):
            return session.place.front
        parts = urlsplit(str(told.get("URL") or ""))
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else session.place.front

    async def address(self) -> Finding | None:
        """It is no loopback address, which in a Pod means the Pod."""
        server = await self.server()
        if not registering.is_loopback(server):
            return None
        fix = "start Fairlead with --external-url https://HOST:PORT, or join with --as-process"
        return Finding(f"{server} means the machine it is used on: an agent in the cluster cannot reach it", fix)

    async def reach(self) -> Finding | None:
        """A Pod there gets an answer from the control plane."""
        server = registering.with_port(await self.server())
        if registering.is_loopback(server):
            return not_verified("the control plane has only a loopback address")
        wanted, authority = self.wanted, self.plane.session.top.credentials.ca.decode()
        asked = probe.Probe(server, authority, wanted.image, wanted.probe_namespace, wanted.probe_timeout_s)
        return await probe.ask(self.cluster, asked)


def names_finding(name: str, ours: str, objects: list[JsonObject]) -> Finding | None:
    """
    Judge which names are taken.

    Args:
        name: Of the SyncTarget.
        ours: What the agent's objects will be called; those of an agent that is joined already may be there.
        objects: Namespaces, ClusterRoles and ClusterRoleBindings of the cluster.
    """
    pattern = re.compile(rf"kcp-syncer-{re.escape(name)}-[0-9a-z]{{8}}.*")
    foreign, old = [], []
    for one in objects:
        metadata = one["metadata"]
        called = f"{one['kind'].lower()}/{metadata['name']}"
        is_marked = (metadata.get("labels") or {}).get(_PART_OF[0]) == _PART_OF[1]
        is_tenants = one["kind"] == "Namespace" and _TENANTS.fullmatch(metadata["name"])
        if is_tenants and names.LOCATOR_ANNOTATION not in (metadata.get("annotations") or {}):
            foreign.append(called)
        elif pattern.fullmatch(metadata["name"]) or metadata["name"].startswith(ours):
            if not is_marked:
                foreign.append(called)
            elif not metadata["name"].startswith(ours):
                old.append(called)
    if foreign:
        return Finding(f"somebody else has {some(foreign)}", "rename it, or join under another name", Level.ERROR)
    if old:
        text = f"an earlier agent of that name left {some(old)}"
        return Finding(text, "look at it and delete it, if no other control plane uses it", Level.WARNING)
    return None


async def exported_versions(plane: Plane, target: JsonObject) -> dict[tuple[str, str], list[str]]:
    """
    Return the served versions of what a SyncTarget's exports hold, by (group, plural).

    Raises:
        Forbidden, NotFound: An export cannot be read.
    """
    session, found = plane.session, {}
    for export in (target.get("spec") or {}).get("supportedAPIExports") or [registering.DEFAULT_EXPORT]:
        place = session.top.at(export.get("path") or session.place.path)
        body = await place.get(kinds.API_EXPORTS, export["export"])
        for name in (body.get("spec") or {}).get("latestResourceSchemas") or ():
            spec = (await place.get(_SCHEMAS, name))["spec"]
            key = (spec.get("group", ""), spec["names"]["plural"])
            found[key] = [version["name"] for version in spec["versions"] if version.get("served")]
    return found
