"""
Which resources each workspace has: built in, then bound, then its own CRDs.

What a workspace serves is read from its rows when it is first asked for, kept in a bounded cache, and shared with
every workspace that serves the same; an idle workspace costs nothing.

Source: kcp-core 1.10, 1.11. Implements :class:`fairlead_control_plane.kinds.catalog.Catalog`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import orjson

from fairlead_api import JsonObject
from fairlead_api.names import ROOT, WILDCARD
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.keys import object_key, range_prefix
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.sharing.exports import REMOVED_SCHEMAS
from fairlead_control_plane.sharing.objects import BINDINGS, CRDS, EXPORTS, SCHEMAS, SHARDS, Records, by_name
from fairlead_control_plane.store.contract import Event, Store, prefix_end

FromSchema = Callable[[JsonObject, str, str], Resource]
"""An APIResourceSchema, an identity hash and an owner (the export, ``<cluster>/<name>``) to the record serving it."""
FromCrd = Callable[[JsonObject], Resource]

_EVERYWHERE = frozenset({"apis.kcp.io", "core.kcp.io"})
_FOLLOWS = {"scheduling.fairlead.io": "scheduling.kcp.io"}
"""Groups of ours without an export of their own: served wherever the other is bound."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ResourceSet:
    """What a logical cluster serves; shared by all that serve the same."""

    resources: tuple[Resource, ...]
    by_name: Records


@dataclass(frozen=True, slots=True)
class _Bound:
    """One bound resource of a binding; all its parts are what makes two workspaces serve the same."""

    provider: str
    export: str
    group: str
    plural: str
    schema: str
    uid: str
    identity: str
    is_leaving: bool


class WorkspaceCatalog:
    """
    The catalog of the ``workspaces`` profile.

    Args:
        store: Read on a miss; its listener drops what changed before the writer hears of its write.
        builtin: Kubernetes' own kinds that every workspace has.
        own: All our kinds. Those of ``apis.kcp.io`` and ``core.kcp.io`` are everywhere (shards in root only), the
            others where a binding to root's export of their group is. They are stored under no identity whoever
            binds them, so that the control plane finds them everywhere by one range.
        from_crd, from_schema: Make records of a CRD and of an APIResourceSchema.
        size: Most workspaces kept.
    """

    def __init__(
        self,
        store: Store,
        *,
        builtin: Iterable[Resource],
        own: Iterable[Resource],
        from_crd: FromCrd,
        from_schema: FromSchema,
        size: int = 4096,
    ) -> None:
        self._store = store
        self._size = size
        self._from_crd = from_crd
        self._from_schema = from_schema
        ours = tuple(own)
        shards = tuple(kind for kind in ours if (kind.group, kind.plural) == SHARDS)
        always = (*builtin, *(kind for kind in ours if kind.group in _EVERYWHERE and kind not in shards))
        self._always = {"": always, ROOT: (*always, *shards)}
        self._by_export = _by_export(kind for kind in ours if kind.group not in _EVERYWHERE)
        self._records = by_name((*always, *ours))
        self._clusters: OrderedDict[str, ResourceSet] = OrderedDict()
        self._sets: WeakValueDictionary[object, ResourceSet] = WeakValueDictionary()
        self._bound: OrderedDict[tuple[str, str], Resource] = OrderedDict()
        self._identities: dict[tuple[str, str, str], Resource | None] = {}
        self._reading: dict[str, object] = {}
        self._prefixes = {kind: range_prefix(self._records[kind]) for kind in (BINDINGS, CRDS, EXPORTS)}
        self.close = store.listen(self._heard)

    async def lookup(self, cluster: str, group: str, plural: str, identity: str = "") -> Resource | None:
        """See :class:`fairlead_control_plane.kinds.catalog.Catalog`."""
        if cluster != WILDCARD:
            return (await self.of(cluster)).by_name.get((group, plural))
        ours = self._records.get((group, plural))
        if not identity or ours is not None:
            return ours if not identity or await self._has_identity(ours, identity) else None
        return await self._by_identity(group, plural, identity)

    async def resources(self, cluster: str) -> Sequence[Resource]:
        """See :class:`fairlead_control_plane.kinds.catalog.Catalog`; ``*`` has all built-in kinds and ours."""
        return tuple(self._records.values()) if cluster == WILDCARD else (await self.of(cluster)).resources

    async def of(self, cluster: str) -> ResourceSet:
        """Return what a logical cluster serves."""
        kept = self._clusters.get(cluster)
        if kept is not None:
            self._clusters.move_to_end(cluster)
            return kept
        mark = self._reading[cluster] = object()
        try:
            found = await self._read(cluster)
        finally:
            current = self._reading.get(cluster) is mark
            if current:
                del self._reading[cluster]
        if current:
            self._clusters[cluster] = found
            if len(self._clusters) > self._size:
                self._clusters.popitem(last=False)
        return found

    async def _read(self, cluster: str) -> ResourceSet:
        bound = [part for binding in await self._rows(BINDINGS, cluster) for part in _parts(binding)]
        crds = [crd for crd in await self._rows(CRDS, cluster) if _is_served(crd)]
        content = (
            cluster == ROOT,
            *bound,
            *((crd["metadata"]["uid"], crd["metadata"].get("generation", 0)) for crd in crds),
        )
        kept = self._sets.get(content)
        if kept is not None:
            return kept
        found = dict(by_name(self._always.get(cluster, self._always[""])))
        for part in bound:
            for resource in await self._resources_of(part):
                found.setdefault((resource.group, resource.plural), resource)
        for crd in crds:
            resource = self._from_crd(crd)
            found.setdefault((resource.group, resource.plural), resource)
        made = self._sets[content] = ResourceSet(tuple(found.values()), found)
        return made

    async def _rows(self, kind: tuple[str, str], cluster: str) -> list[JsonObject]:
        prefix = f"{self._prefixes[kind]}{cluster}/"
        return [encoding.decode(row) for row in (await self._store.range(prefix, prefix_end(prefix))).rows]

    async def _resources_of(self, part: _Bound) -> Sequence[Resource]:
        """Return what a bound resource serves; ours bring the kinds of groups that follow theirs."""
        if part.provider == ROOT and part.export in self._by_export:
            kinds = self._by_export[part.export]
            return [kind for kind in kinds if kind.group != part.group or kind.plural == part.plural]
        resource = await self._bound_resource(part)
        if resource is None:
            return ()
        if part.is_leaving:
            # Kubernetes' way for a kind on its way out: what is there can be read and deleted, nothing is added.
            verbs = resource.strategy.verbs - {"create"}
            resource = replace(resource, strategy=replace(resource.strategy, verbs=verbs))
        return (resource,)

    async def _bound_resource(self, part: _Bound) -> Resource | None:
        kept = self._bound.get((part.uid, part.identity))
        if kept is not None:
            self._bound.move_to_end((part.uid, part.identity))
            return kept
        schema = await self._schema(part.provider, part.schema, part.uid)
        if schema is None:
            return None
        made = self._from_schema(schema, part.identity, f"{part.provider}/{part.export}")
        self._bound[(part.uid, part.identity)] = made
        if len(self._bound) > self._size:
            self._bound.popitem(last=False)
        return made

    async def _schema(self, cluster: str, name: str, uid: str) -> JsonObject | None:
        """Return a schema that was bound, also when its object was removed or made anew since."""
        row = await self._store.get(object_key(self._records[SCHEMAS], cluster, "", name))
        if row is not None:
            obj = encoding.decode(row)
            if obj["metadata"]["uid"] == uid:
                return obj
        row = await self._store.get(REMOVED_SCHEMAS + uid)
        return None if row is None else encoding.decode(row)

    async def _has_identity(self, ours: Resource | None, identity: str) -> bool:
        """Tell whether a kind of ours may be asked for by this identity: root's export of its group has it."""
        if ours is None or ours.group not in self._by_export:
            return False
        row = await self._store.get(object_key(self._records[EXPORTS], ROOT, "", ours.group))
        return row is not None and _identity(row.value) == identity

    async def _by_identity(self, group: str, plural: str, identity: str) -> Resource | None:
        """Find the bound API of that identity among the exports; exports are few, and what is found is kept."""
        key = (group, plural, identity)
        if key in self._identities:
            return self._identities[key]
        prefix = self._prefixes[EXPORTS]
        before = self._store.revision
        found = None
        for row in (await self._store.range(prefix, prefix_end(prefix))).rows:
            if _identity(row.value) == identity:
                found = await self._exported(encoding.decode(row), row.key.split("/")[4], group, plural)
                if found is not None:
                    break
        if found is not None and before == self._store.revision and len(self._identities) < self._size:
            self._identities[key] = found
        return found

    async def _exported(self, export: JsonObject, cluster: str, group: str, plural: str) -> Resource | None:
        suffix = f".{plural}.{group or 'core'}"
        for name in (export.get("spec") or {}).get("latestResourceSchemas") or ():
            row = (
                await self._store.get(object_key(self._records[SCHEMAS], cluster, "", name))
                if name.endswith(suffix)
                else None
            )
            if row is not None:
                uid = encoding.decode(row)["metadata"]["uid"]
                identity = export["status"]["identityHash"]
                part = _Bound(cluster, export["metadata"]["name"], group, plural, name, uid, identity, False)
                return await self._bound_resource(part)
        return None

    def _heard(self, events: Sequence[Event], revision: int) -> None:
        del revision
        bindings, crds, exports = self._prefixes[BINDINGS], self._prefixes[CRDS], self._prefixes[EXPORTS]
        for event in events:
            if event.key.startswith((bindings, crds)):
                cluster = event.key.split("/")[4]
                self._clusters.pop(cluster, None)
                self._reading.pop(cluster, None)
            elif event.key.startswith(exports):
                self._identities.clear()


def _by_export(kinds: Iterable[Resource]) -> dict[str, tuple[Resource, ...]]:
    """Return our kinds by the name of root's export that brings them."""
    found: dict[str, list[Resource]] = {}
    for kind in kinds:
        export = _FOLLOWS.get(kind.group, kind.group)
        found.setdefault(export, []).append(replace(kind, owner=f"{ROOT}/{export}"))
    return {export: tuple(members) for export, members in found.items()}


def _parts(binding: JsonObject) -> list[_Bound]:
    status = binding.get("status") or {}
    provider = status.get("apiExportClusterName", "")
    export = ((binding["spec"].get("reference") or {}).get("export") or {}).get("name", "")
    is_leaving = "deletionTimestamp" in binding["metadata"]
    return [
        _Bound(
            provider, export, entry.get("group", ""), entry["resource"], entry["schema"]["name"],
            entry["schema"]["UID"], entry["schema"]["identityHash"], is_leaving,
        )
        for entry in status.get("boundResources") or ()
    ]  # fmt: skip


def _is_served(crd: JsonObject) -> bool:
    """Tell whether a CRD's names have been found its own: not before, or who sees it served meets a status written."""
    said = {entry["type"]: entry["status"] for entry in (crd.get("status") or {}).get("conditions") or ()}
    return said.get("Established") == "True"


def _identity(value: bytes) -> str:
    """Return the identity hash in a stored export, ``""`` for none."""
    hash_: str = (orjson.loads(memoryview(value)[4:]).get("status") or {}).get("identityHash", "")
    return hash_
