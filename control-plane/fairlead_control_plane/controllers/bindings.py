"""
Keeps bindings what their exports make of them, and empties those that are being deleted.

Source: kcp-core 2.3, 2.4, 8 (apibinding, apibindingdeletion, extraannotationsync).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_api.names import EXPORT_LABEL, export_label_value
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.controllers.sweeping import delete_all, remaining
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.keys import parse_key, range_prefix
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.bindings import FINALIZER, Bindings, status_of
from fairlead_control_plane.sharing.conditions import condition, merged
from fairlead_control_plane.sharing.exports import Offer
from fairlead_control_plane.sharing.objects import BINDINGS, CRDS, EXPORTS, SCHEMAS, Maker
from fairlead_control_plane.store.contract import Event, prefix_end
from fairlead_control_plane.store.paging import rows_under

_LOOK_AGAIN_S = 2.0

_BINDING, _EXPORT, _PROVIDER, _CONSUMER, _SWEEP = "binding", "export", "provider", "consumer", "sweep"


class BindingController:
    """
    Keys: (binding, cluster, name), (export, cluster, name), (provider, cluster), (consumer, cluster), (sweep,).

    A changed export makes all its bindings be looked at, a new schema those of its provider's exports, and an API that
    goes those bindings of the same workspace that waited for its names.
    """

    name = "bindings"

    def __init__(self, registry: Registry, maker: Maker, bindings: Bindings) -> None:
        self._registry = registry
        self._maker = maker
        self._bindings = bindings
        self._kind = maker.records[BINDINGS]
        self._has_swept = False
        self._prefixes = {kind: range_prefix(maker.records[kind]) for kind in (BINDINGS, CRDS, EXPORTS, SCHEMAS)}

    def keys(self, event: Event) -> Iterable[Key]:
        """See the class."""
        kind = next((kind for kind, prefix in self._prefixes.items() if event.key.startswith(prefix)), None)
        if kind is None:
            return []
        parsed = parse_key(event.key)
        if kind == EXPORTS:
            return [(_EXPORT, parsed.cluster, parsed.name)]
        if kind == SCHEMAS:
            return [(_PROVIDER, parsed.cluster)] if event.row is not None else []
        if event.row is None:
            return [(_CONSUMER, parsed.cluster)]
        is_open = b'"deletionTimestamp"' in event.row.value or b'"phase":"Binding"' in event.row.value
        return [(_BINDING, parsed.cluster, parsed.name)] if kind == BINDINGS and is_open else []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield the one key that looks at every binding, in one pass and one at a time."""
        yield (_SWEEP,)

    async def reconcile(self, key: Key) -> float | None:
        """See the class."""
        what, cluster = key[0], key[1] if len(key) > 1 else ""
        if what == _BINDING:
            return await self._binding(cluster, key[2])
        if what == _EXPORT:
            label = f'"{EXPORT_LABEL}":"{export_label_value(cluster, key[2])}"'.encode()
            # One that waits may never have seen its export, so it cannot carry the export's label.
            return await self._all_with(label, b'"phase":"Binding"')
        if what == _SWEEP:
            # After the first pass only those that could not be emptied yet are left to look at.
            again_s = await self._all_with(b'"deletionTimestamp"' if self._has_swept else b"")
            self._has_swept = again_s is not None
            return again_s
        if what == _PROVIDER:
            for export in await self._list(EXPORTS, cluster):
                await self.reconcile((_EXPORT, cluster, export["metadata"]["name"]))
        else:
            for binding in await self._list(BINDINGS, cluster):
                if not _is_settled(binding):
                    await self._binding(cluster, binding["metadata"]["name"])
        return None

    async def _all_with(self, *texts: bytes) -> float | None:
        """
        Look at the bindings whose stored bytes hold one of the texts, a page at a time, the others undecoded.

        Returns:
            Seconds after which one of them has to be looked at again; None for none.
        """
        again_s = None
        async for row in rows_under(self._registry.parts.store, self._prefixes[BINDINGS]):
            if any(text in row.value for text in texts):
                parsed = parse_key(row.key)
                again_s = await self._binding(parsed.cluster, parsed.name) or again_s
        return again_s

    async def _list(self, kind: tuple[str, str], cluster: str) -> list[JsonObject]:
        prefix = f"{self._prefixes[kind]}{cluster}/"
        found = await self._registry.parts.store.range(prefix, prefix_end(prefix))
        return [encoding.decode(row) for row in found.rows]

    async def _binding(self, cluster: str, name: str) -> float | None:
        try:
            binding = await self._registry.get(self._kind, cluster, "", name)
            if "deletionTimestamp" in binding["metadata"]:
                return await self._empty(cluster, name, binding)
            await self._refresh(cluster, name, binding)
        except NotFound:
            return None
        return None

    async def _refresh(self, cluster: str, name: str, binding: JsonObject) -> None:
        offer = await self._bindings.offer_of(cluster, binding)
        taken = await self._bindings.taken(cluster, but=name)

        def change(obj: JsonObject) -> JsonObject | None:
            status = status_of(obj, offer, taken, self._maker.now())
            return None if status == obj.get("status") else {**obj, "status": status}

        await self._registry.modify(self._kind, cluster, "", name, change, subresource="status")
        if offer is not None and _marked(binding, offer) != binding:
            await self._registry.modify(self._kind, cluster, "", name, lambda obj: _marked(obj, offer))

    async def _empty(self, cluster: str, name: str, binding: JsonObject) -> float | None:
        """Delete the instances of a binding that goes; let it go when there are none."""
        left = {}
        for entry in (binding.get("status") or {}).get("boundResources") or ():
            count = await self._delete_instances(cluster, entry.get("group", ""), entry["resource"])
            if count:
                left[f"{entry['resource']}.{entry.get('group') or 'core'}"] = count
        if left:
            await self._tell(cluster, name, left)
            return _LOOK_AGAIN_S
        await self._registry.modify(self._kind, cluster, "", name, _released)
        return None

    async def _delete_instances(self, cluster: str, group: str, plural: str) -> int:
        resource = await self._registry.parts.catalog.lookup(cluster, group, plural)
        return 0 if resource is None else await delete_all(self._registry, resource, cluster)

    async def _tell(self, cluster: str, name: str, left: dict[str, int]) -> None:
        text = remaining(left)
        said = condition("BindingResourceDeleteSuccess", False, reason="SomeResourcesRemain", message=text)

        def change(obj: JsonObject) -> JsonObject | None:
            status = obj.get("status") or {}
            found = merged(status.get("conditions") or (), [said], self._maker.now())
            return None if found == status.get("conditions") else {**obj, "status": {**status, "conditions": found}}

        await self._registry.modify(self._kind, cluster, "", name, change, subresource="status")


def _is_settled(binding: JsonObject) -> bool:
    status = binding.get("status") or {}
    up_to_date = all(
        entry["status"] == "True" for entry in status.get("conditions") or () if entry["type"] == "BindingUpToDate"
    )
    return status.get("phase") == "Bound" and up_to_date


def _marked(obj: JsonObject, offer: Offer) -> JsonObject:
    """Return the binding with the label of its export and the annotations it hands on."""
    metadata = obj["metadata"]
    labels = {**(metadata.get("labels") or {}), EXPORT_LABEL: export_label_value(offer.cluster, offer.name)}
    annotations = {**(metadata.get("annotations") or {}), **dict(offer.extra)}
    return {**obj, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def _released(obj: JsonObject) -> JsonObject:
    left = [each for each in obj["metadata"].get("finalizers", ()) if each != FINALIZER]
    return {**obj, "metadata": {**obj["metadata"], "finalizers": left}}
