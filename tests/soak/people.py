"""What users and administrators do to the real thing: the deeds of the simulated day, and those it does not know."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, NotFound
from fairlead_api.names import ROOT
from fairlead_machinery.client import MERGE_PATCH, Client, Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_transforms.names import is_token_secret
from tests.simulation.clock import EPOCH_S
from tests.simulation.script import Deed
from tests.simulation.users import GVRS, NAMESPACES, Users, body_of
from tests.soak.evidence import Place
from tests.soak.plan import HOSTS, SIDE
from tests.soak.stage import Stage
from tests.support.checking.recorder import UPSTREAM_UID

THEIRS = "theirs"
"""A namespace in each cluster that is nobody's business."""
_ROLES = Gvr("rbac.authorization.k8s.io", "v1", "roles")
_PATIENCE_S = 30.0
_AT_ONCE = 16


@dataclass(slots=True)
class _Days:
    """What the users of the simulation ask their world for."""

    targets: tuple[str, ...] = ()

    @property
    def now_s(self) -> float:
        """Return the time, counted from where the simulation's begins."""
        return time.time() - EPOCH_S


class People(Users):
    """
    Carries out deeds on real servers.

    Attributes:
        done, refused: How many deeds of each sort were, and were not.
        asked: Moments at which users asked for a deletion above, by workspace, resource, namespace and name.
        foreign: Foreign objects as their clusters returned them when they were made.
        approved: How often held deletions were approved.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = _Days()  # type: ignore[assignment]  # all that the deeds used here ask of it
        self._top = stage.plane()
        self._below = {host: stage.below(host) for host in HOSTS}
        self._foreign = set()
        self._clients = AsyncExitStack()
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.asked: dict[Place, list[float]] = {}
        self.foreign: dict[Place, JsonObject] = {}
        self.approved: set[str] = set()

    async def __aenter__(self) -> People:
        """Open the connections."""
        for client in (self._top, *self._below.values()):
            await self._clients.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._clients.aclose()

    async def do(self, deed: Deed) -> None:
        """Do one thing and count it; a refusal, or a server that is away, ends it."""
        act: Callable[[Deed], Awaitable[object]] = getattr(self, deed.what)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await act(deed)
        except (ApiError, Unreachable, TimeoutError):
            self.refused[deed.what] += 1
        else:
            self.done[deed.what] += 1

    async def fill(self, deeds: list[Deed]) -> None:
        """Do all of these, some at once; each must succeed."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(deed: Deed) -> None:
            async with gate:
                await self.put(deed)

        async with asyncio.TaskGroup() as group:
            for deed in deeds:
                group.create_task(one(deed))

    # --- above -------------------------------------------------------------------------------------------------------

    async def delete(self, deed: Deed) -> None:
        """Delete an object."""
        self._ask(deed, deed.kind, deed.name)
        await super().delete(deed)

    async def relabel(self, deed: Deed) -> None:
        """Change a label and an annotation of an object."""
        stamp = str(deed.pick % 97)
        change = {"metadata": {"labels": {"tier": stamp}, "annotations": {"soak.example/note": stamp}}}
        await self._at(deed).patch(GVRS[deed.kind], deed.name, change, type_=MERGE_PATCH, namespace=deed.namespace)

    async def move(self, deed: Deed) -> None:
        """Have a namespace run in another cluster."""
        change = {"metadata": {"labels": {SIDE: deed.host}}}
        await self._at(deed).patch(NAMESPACES, deed.namespace, change, type_=MERGE_PATCH)

    async def renew_namespace(self, deed: Deed) -> None:
        """Delete a namespace; it is made again when it has gone."""
        self._ask(deed, "namespaces", deed.namespace)
        await self._at(deed).delete(NAMESPACES, deed.namespace)

    async def put(self, deed: Deed) -> None:
        """Make an object, or change it; with its namespace, where that was deleted."""
        try:
            await super().put(deed)
        except NotFound:
            labels = {SIDE: HOSTS[deed.pick % 2]}
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": deed.namespace, "labels": labels}}
            await self._at(deed).create(NAMESPACES, body)
            await super().put(deed)

    def _ask(self, deed: Deed, resource: str, name: str) -> None:
        self.asked.setdefault((deed.workspace, resource, deed.namespace, name), []).append(time.time())

    # --- in the clusters ---------------------------------------------------------------------------------------------

    async def settle_down(self) -> None:
        """Make what is nobody's business, before anything is joined."""
        for host in HOSTS:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": THEIRS}}
            await self._below[host].create(NAMESPACES, body)
            for number in range(5):
                for kind in ("configmaps", "secrets", "services"):
                    deed = Deed(0, "", host, "", "", kind, f"mine-{number}", number, 0)
                    await self._put_theirs(host, GVRS[kind], THEIRS, body_of(deed))
            role = {
                "metadata": {"name": "mine"},
                "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
            }
            await self._put_theirs(host, _ROLES, THEIRS, role)

    async def put_foreign(self, deed: Deed) -> None:
        """Make an object without marks, in a namespace of ours or elsewhere."""
        home = await self._home(deed) if deed.pick % 3 else None
        kind = "configmaps" if deed.kind == "deployments" else deed.kind
        body = body_of(deed)
        if kind != deed.kind:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": body["metadata"], "data": {"of": "theirs"}}
        body["metadata"]["name"] = f"theirs-{deed.name}"
        namespace = THEIRS if home is None else home["metadata"]["name"]
        await self._put_theirs(deed.host, GVRS[kind], namespace, body)

    async def _put_theirs(self, host: str, gvr: Gvr, namespace: str, body: JsonObject) -> None:
        with suppress(AlreadyExists):
            made = await self._below[host].create(gvr, body, namespace=namespace)
            self.foreign[host, gvr.resource, namespace, made["metadata"]["name"]] = made

    async def _one_of_ours(self, deed: Deed, gvr: Gvr) -> JsonObject | None:
        home = await self._home(deed)
        if home is None:
            return None
        items, _ = await self._below[deed.host].list(gvr, namespace=home["metadata"]["name"])
        ours = [
            one
            for one in items
            if UPSTREAM_UID in (one["metadata"].get("annotations") or {})
            and not is_token_secret(one["metadata"]["name"])
        ]
        return ours[deed.pick % len(ours)] if ours else None

    async def foreign_problems(self) -> list[str]:
        """Say which foreign objects are not, to the byte, what their clusters returned when they were made."""
        problems = []
        gvrs = {gvr.resource: gvr for gvr in (*GVRS.values(), _ROLES)}
        for (host, resource, namespace, name), made in self.foreign.items():
            found = await self._below[host].find(gvrs[resource], name, namespace=namespace)
            if found != made:
                what = "is gone" if found is None else "is not what it was"
                problems.append(f"foreign {resource} {namespace}/{name} on {host} {what}")
        return problems

    async def take_guests_home(self) -> None:
        """Delete foreign objects from namespaces of ours, which keep those from going."""
        gvrs = {gvr.resource: gvr for gvr in GVRS.values()}
        for host, resource, namespace, name in list(self.foreign):
            if namespace != THEIRS:
                with suppress(NotFound):
                    await self._below[host].delete(gvrs[resource], name, namespace=namespace)
                del self.foreign[host, resource, namespace, name]

    async def approve(self) -> None:
        """Approve what is held now, on every target, and count it."""
        with suppress(ApiError, Unreachable):
            for target in (await self._top.at(ROOT).list(Gvr("workload.kcp.io", "v1alpha1", "synctargets")))[0]:
                digest = ((target.get("status") or {}).get("heldDeletions") or {}).get("digest")
                if digest and digest != target["spec"].get("approvedDeletions"):
                    self.approved.add(digest)
        await super().approve()

    def at(self, host: str) -> Client:
        """Return the administrator's client of a cluster."""
        return self._below[host]

    def above(self, path: str) -> Client:
        """Return the administrator's client of a workspace."""
        return self._top.at(path)
