"""What users and administrators do, above and in the clusters; what a server refuses them is their bad luck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from fairlead_api import JsonObject
from fairlead_api.errors import AlreadyExists, ApiError, NotFound
from fairlead_api.names import ROOT
from fairlead_control_plane.auth.agents import pinned_key, thumbprint
from fairlead_control_plane.controllers.synctargets import ROTATE_ANNOTATION
from fairlead_machinery.client import MERGE_PATCH, Client, Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_transforms.names import is_token_secret
from fairlead_transforms.podtemplate import TARGET_LABEL
from tests.simulation.clock import EPOCH_S
from tests.simulation.parts import PLANE, SYNC_TARGETS, to
from tests.simulation.script import Deed
from tests.simulation.servers import ADMIN
from tests.simulation.world import World

GVRS = {
    "configmaps": Gvr("", "v1", "configmaps"),
    "secrets": Gvr("", "v1", "secrets"),
    "services": Gvr("", "v1", "services"),
    "deployments": Gvr("apps", "v1", "deployments"),
}
NAMESPACES = Gvr("", "v1", "namespaces")
WORKSPACES = Gvr("tenancy.kcp.io", "v1alpha1", "workspaces")
BINDINGS = Gvr("apis.kcp.io", "v1alpha1", "apibindings")
PLACEMENTS = Gvr("scheduling.kcp.io", "v1alpha1", "placements")
_OURS = {"labelSelector": "kcp.io/tenant-id"}
PLACEMENT: JsonObject = {
    "apiVersion": "scheduling.kcp.io/v1alpha1",
    "kind": "Placement",
    "metadata": {"name": "everywhere"},
    "spec": {
        "namespaceSelector": {},
        "locationSelectors": [{}],
        "locationResource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
        "locationWorkspace": ROOT,
    },
}


class Users:
    """Carries out what the script says that people do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._top = to(PLANE, "kcp-admin")
        self._below = {host: to(host, ADMIN) for host in world.targets}
        self._foreign: set[str] = set()

    async def do(self, deed: Deed) -> None:
        """Do one thing; a refusal, or a server that is away, ends it."""
        act: Callable[[Deed], Awaitable[object]] = getattr(self, deed.what)
        try:
            async with asyncio.timeout(30):
                await act(deed)
        except (ApiError, Unreachable, TimeoutError):
            return

    def _at(self, deed: Deed) -> Client:
        return self._top.at(f"{ROOT}:{deed.workspace}")

    async def put(self, deed: Deed) -> None:
        """Make an object, or change it."""
        gvr, body = GVRS[deed.kind], body_of(deed)
        try:
            await self._at(deed).create(gvr, body, namespace=deed.namespace)
        except AlreadyExists:
            found = await self._at(deed).get(gvr, deed.name, namespace=deed.namespace)
            body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
            if deed.kind == "services":
                body["spec"]["clusterIP"] = found["spec"].get("clusterIP", "")
            await self._at(deed).update(gvr, body, namespace=deed.namespace)

    async def delete(self, deed: Deed) -> None:
        """Delete an object."""
        await self._at(deed).delete(GVRS[deed.kind], deed.name, namespace=deed.namespace)

    async def make_namespace(self, deed: Deed) -> None:
        """Make a namespace."""
        await self._at(deed).create(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": deed.namespace}}
        )

    async def delete_namespace(self, deed: Deed) -> None:
        """Delete a namespace."""
        if deed.namespace != "default":
            await self._at(deed).delete(NAMESPACES, deed.namespace)

    async def make_workspace(self, deed: Deed) -> None:
        """Make a third workspace with compute, or one of the two that was deleted."""
        await make_workspace(self._top, ROOT, deed.workspace)

    async def delete_workspace(self, deed: Deed) -> None:
        """Delete a workspace with all that is in it."""
        await self._top.at(ROOT).delete(WORKSPACES, deed.workspace)

    async def cordon(self, deed: Deed) -> None:
        """Let nothing new come to a cluster."""
        await self._target(deed, {"unschedulable": True})

    async def drain(self, deed: Deed) -> None:
        """Move away what is in a cluster."""
        now = datetime.fromtimestamp(EPOCH_S + self._world.now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        await self._target(deed, {"unschedulable": True, "evictAfter": now})

    async def uncordon(self, deed: Deed) -> None:
        """Let things come again."""
        await self._target(deed, {"unschedulable": False, "evictAfter": None})

    async def _target(self, deed: Deed, spec: JsonObject) -> None:
        await self._top.at(ROOT).patch(SYNC_TARGETS, deed.host, {"spec": spec}, type_=MERGE_PATCH)

    async def rotate_key(self, deed: Deed) -> None:
        """Have an agent replace its key; not while there is a copy, which would be the only one to know it."""
        if deed.host in self._world.seconds:
            return
        target = await self._top.at(ROOT).get(SYNC_TARGETS, deed.host)
        pinned = pinned_key(target)
        if pinned is None:
            return
        wish = {"metadata": {"annotations": {ROTATE_ANNOTATION: thumbprint(pinned)}}}
        await self._top.at(ROOT).patch(SYNC_TARGETS, deed.host, wish, type_=MERGE_PATCH)

    async def unplace(self, deed: Deed) -> None:
        """Want a workspace to run nowhere."""
        await self._at(deed).delete(PLACEMENTS, "everywhere")

    async def place(self, deed: Deed) -> None:
        """Want it to run again."""
        await self._at(deed).create(PLACEMENTS, PLACEMENT)

    async def drift(self, deed: Deed) -> None:
        """Change a field of ours in the cluster."""
        gvr = GVRS[deed.kind]
        found = await self._one_of_ours(deed, gvr)
        if found is not None:
            changes: dict[str, JsonObject] = {"configmaps": {"data": {"stamp": "drift"}}}
            changes["secrets"] = {"stringData": {"stamp": "drift"}}
            change = changes.get(deed.kind, {"metadata": {"labels": {"app": "drift"}}})
            name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
            await self._below[deed.host].patch(gvr, name, change, type_=MERGE_PATCH, namespace=namespace)

    async def delete_below(self, deed: Deed) -> None:
        """Delete an object of ours in the cluster."""
        gvr = GVRS[deed.kind]
        found = await self._one_of_ours(deed, gvr)
        if found is not None:
            name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
            await self._below[deed.host].delete(gvr, name, namespace=namespace)

    async def put_foreign(self, deed: Deed) -> None:
        """Put an object of the cluster's own beside ours, or elsewhere."""
        home = await self._home(deed)
        body = body_of(deed)
        body["metadata"]["name"] = f"theirs-{deed.name}"
        namespace = "default" if home is None or deed.pick % 3 else home["metadata"]["name"]
        await self._below[deed.host].create(GVRS[deed.kind], body, namespace=namespace)

    async def squat(self, deed: Deed) -> None:
        """Put a copy of an object of ours, with all of its marks, into its place."""
        kinds = [deed.kind, *(kind for kind in GVRS if kind != deed.kind)]
        candidates = [(GVRS[kind], await self._one_of_ours(deed, GVRS[kind])) for kind in kinds]
        there = [(gvr, one) for gvr, one in candidates if one is not None and _has_mark(one)]
        if not there:
            return
        gvr, found = there[0]
        metadata = found["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        await self._below[deed.host].delete(gvr, name, namespace=namespace, uid=metadata["uid"])
        kept = {field: metadata[field] for field in ("name", "labels", "annotations") if field in metadata}
        copy = {**found, "metadata": kept}
        copy.pop("status", None)
        if is_token_secret(name):
            copy["data"] = {}  # no two signatures are the same, and a seed's histories must be
        made = await self._below[deed.host].create(gvr, copy, namespace=namespace)
        self._foreign.add(made["metadata"]["uid"])

    async def forge(self, deed: Deed) -> None:
        """Change or remove a mark on an object of ours."""
        gvr = GVRS[deed.kind]
        found = await self._one_of_ours(deed, gvr)
        if found is None or not _has_mark(found):
            return
        name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
        annotations = sorted(found["metadata"].get("annotations") or {})
        mark = [*annotations, TARGET_LABEL][deed.pick % (len(annotations) + 1)]
        value = (None, "99", "forged")[deed.pick // 100 % 3]
        part = "labels" if mark == TARGET_LABEL else "annotations"
        change = {"metadata": {part: {mark: value}}}
        await self._below[deed.host].patch(gvr, name, change, type_=MERGE_PATCH, namespace=namespace)

    async def delete_home(self, deed: Deed) -> None:
        """Delete a namespace of ours in the cluster with all that is in it."""
        home = await self._home(deed)
        if home is not None:
            await self._below[deed.host].delete(NAMESPACES, home["metadata"]["name"])

    async def _home(self, deed: Deed) -> JsonObject | None:
        homes, _ = await self._below[deed.host].list(NAMESPACES, query=_OURS)
        return homes[deed.pick % len(homes)] if homes else None

    async def _one_of_ours(self, deed: Deed, gvr: Gvr) -> JsonObject | None:
        home = await self._home(deed)
        if home is None:
            return None
        items, _ = await self._below[deed.host].list(gvr, namespace=home["metadata"]["name"])
        return items[deed.pick % len(items)] if items else None

    async def approve(self) -> None:
        """Approve what is held now, on every target."""
        try:
            for target in (await self._top.at(ROOT).list(SYNC_TARGETS))[0]:
                held = (target.get("status") or {}).get("heldDeletions") or {}
                if held.get("digest") and held["digest"] != target["spec"].get("approvedDeletions"):
                    change = {"spec": {"approvedDeletions": held["digest"]}}
                    await self._top.at(ROOT).patch(SYNC_TARGETS, target["metadata"]["name"], change, type_=MERGE_PATCH)
        except (ApiError, Unreachable):
            return

    async def remove_foreign(self) -> None:
        """Take away foreign objects from our namespaces, which keep those from going."""
        for host, client in self._below.items():
            del host
            for home in (await client.list(NAMESPACES, query=_OURS))[0]:
                for gvr in GVRS.values():
                    for item in (await client.list(gvr, namespace=home["metadata"]["name"]))[0]:
                        name = item["metadata"]["name"]
                        if name.startswith("theirs-") or item["metadata"]["uid"] in self._foreign:
                            await client.delete(gvr, name, namespace=home["metadata"]["name"])


async def make_workspace(top: Client, parent: str, name: str) -> None:
    """Make a workspace, wait until it is ready, bind compute and place it."""
    place = top.at(f"{parent}:{name}")
    with suppress(AlreadyExists):
        await top.at(parent).create(
            WORKSPACES, {"apiVersion": "tenancy.kcp.io/v1alpha1", "kind": "Workspace", "metadata": {"name": name}}
        )
    reference = {"export": {"path": f"{ROOT}:compute", "name": "kubernetes"}}
    for gvr, body in (
        (BINDINGS, {"metadata": {"name": "kubernetes"}, "spec": {"reference": reference}}),
        (PLACEMENTS, PLACEMENT),
    ):
        await _until_created(place, gvr, body)


async def _until_created(place: Client, gvr: Gvr, body: JsonObject) -> None:
    """Create an object in a workspace that may not be ready, or not know the kind, yet."""
    while True:
        try:
            await place.create(gvr, {"apiVersion": f"{gvr.group}/{gvr.version}", "kind": _KINDS[gvr], **body})
        except AlreadyExists:
            return
        except (NotFound, ApiError) as error:
            if error.code not in {403, 404}:
                raise
            await asyncio.sleep(1)
        else:
            return


_KINDS = {BINDINGS: "APIBinding", PLACEMENTS: "Placement"}


def _has_mark(obj: JsonObject) -> bool:
    return TARGET_LABEL in (obj["metadata"].get("labels") or {})


def body_of(deed: Deed) -> JsonObject:
    """Return an object as a user writes it; another ``pick`` is another content."""
    metadata: JsonObject = {"name": deed.name, "labels": {"app": deed.name}}
    stamp = str(deed.pick % 1000)
    if deed.kind == "configmaps":
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"stamp": stamp}}
    if deed.kind == "secrets":
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"stamp": stamp}}
    if deed.kind == "services":
        ports = [{"port": 80 + deed.pick % 7, "protocol": "TCP"}]
        spec: JsonObject = {"selector": {"app": deed.name}, "ports": ports}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    template = {
        "metadata": {"labels": {"app": deed.name}},
        "spec": {"containers": [{"name": "main", "image": f"image:{stamp}"}]},
    }
    spec = {"replicas": 1 + deed.pick % 3, "selector": {"matchLabels": {"app": deed.name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
