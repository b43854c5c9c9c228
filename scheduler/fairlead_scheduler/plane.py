"""The control plane as the scheduler sees it: a client per workspace, and the resources it reads and writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol

from fairlead_api import JsonObject
from fairlead_machinery.client import MERGE_PATCH, Event, Gvr

SYNC_TARGETS = Gvr("workload.kcp.io", "v1alpha1", "synctargets")
LOCATIONS = Gvr("scheduling.kcp.io", "v1alpha1", "locations")
PLACEMENTS = Gvr("scheduling.kcp.io", "v1alpha1", "placements")
ASSIGNMENTS = Gvr("scheduling.fairlead.io", "v1alpha1", "assignments")
BINDINGS = Gvr("apis.kcp.io", "v1alpha1", "apibindings")
EXPORTS = Gvr("apis.kcp.io", "v1alpha1", "apiexports")
LOGICAL_CLUSTERS = Gvr("core.kcp.io", "v1alpha1", "logicalclusters")
ACCESS_REVIEWS = Gvr("authorization.k8s.io", "v1", "subjectaccessreviews")
NAMESPACES = Gvr("", "v1", "namespaces")
EVENTS = Gvr("", "v1", "events")

EVERYWHERE, ROOT = "*", "root"
BOUND = (SYNC_TARGETS, LOCATIONS, PLACEMENTS)
"""Read everywhere at once through the identity of the export in root that is named as their group."""


class Place(Protocol):
    """One workspace, or all of them; :class:`fairlead_machinery.client.Client` is one."""

    async def list(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None, limit: int = 500
    ) -> tuple[list[JsonObject], str]:
        """List completely."""

    def pages(
        self, gvr: Gvr, *, namespace: str = "", query: Mapping[str, str] | None = None, limit: int = 500
    ) -> AsyncIterator[JsonObject]:
        """List in pages."""

    def watch(
        self, gvr: Gvr, *, namespace: str = "", resource_version: str = "", query: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Watch."""

    async def get(self, gvr: Gvr, name: str) -> JsonObject:
        """Read one object."""

    async def create(self, gvr: Gvr, body: JsonObject, *, namespace: str = "") -> JsonObject:
        """Create an object."""

    async def update(self, gvr: Gvr, body: JsonObject) -> JsonObject:
        """Replace an object of the resourceVersion it names."""

    async def patch(
        self, gvr: Gvr, name: str, body: object, *, type_: str = MERGE_PATCH, subresource: str = ""
    ) -> JsonObject:
        """Patch an object."""

    async def delete(self, gvr: Gvr, name: str, *, uid: str = "", resource_version: str = "") -> JsonObject:
        """Delete an object."""


class Plane(Protocol):
    """All workspaces."""

    def at(self, cluster: str) -> Place:
        """Return one of them by logical cluster name or path, or all as ``*``."""


async def identities(plane: Plane) -> dict[str, str]:
    """Return the identity hash of each export that :data:`BOUND` resources come from, by group."""
    found = {}
    for group in dict.fromkeys(gvr.group for gvr in BOUND):
        export = await plane.at(ROOT).get(EXPORTS, group)
        found[group] = (export.get("status") or {}).get("identityHash", "")
    return found


def everywhere(gvr: Gvr, identity: str) -> Gvr:
    """Return a resource as it is addressed across workspaces."""
    return Gvr(gvr.group, gvr.version, f"{gvr.resource}:{identity}" if identity else gvr.resource)
