"""
CustomResourceDefinitions: are their names free, are they established, and what goes with them.

Within a logical cluster and group a name (plural, singular, short name; kind and list kind) belongs to whoever has it
accepted; a definition that loses keeps what it had and says why.

Source: k8s.io/apiextensions-apiserver pkg/controller/{status/naming_controller,establish/establishing_controller,
finalizer/crd_finalizer}.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Conflict, NotFound
from fairlead_control_plane.controllers.conditions import is_true, set_condition
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.kinds.strategies import approval
from fairlead_control_plane.registry.deleting import CLEANUP_FINALIZER
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Event, Row
from fairlead_control_plane.store.paging import rows_under

_LOOK_AGAIN_S = 5.0


@dataclass(slots=True)
class _Taken:
    """Names that other accepted definitions of the group have: of resources, and of kinds."""

    resources: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)


class Definitions:
    """
    Keys are (cluster, name of the CRD).

    Args:
        definitions: The resource ``customresourcedefinitions``.
        resource_of: Makes the record of a CRD's custom resources, also for one that is on its way out.
        served: (group, plural) of what the server serves itself. A definition of such a kind stands in its shade, as in
            Kubernetes: it may be there, and neither adds objects nor takes any with it.
    """

    name = "crds"

    def __init__(
        self,
        registry: Registry,
        definitions: Resource,
        resource_of: Callable[[JsonObject], Resource],
        served: Collection[tuple[str, str]],
    ) -> None:
        self._registry = registry
        self._store = registry.parts.store
        self._definitions = definitions
        self._resource_of = resource_of
        self._served = served
        self._prefix = keys.range_prefix(definitions)

    def keys(self, event: Event) -> Iterable[Key]:
        """Look at each changed definition; when one goes, its names may be free for others of its cluster."""
        if not event.key.startswith(self._prefix):
            return []
        parsed = keys.parse_key(event.key)
        if event.row is None:
            return [(parsed.cluster, "")]
        return [(parsed.cluster, parsed.name)]

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every definition."""
        async for row in rows_under(self._store, self._prefix):
            parsed = keys.parse_key(row.key)
            yield parsed.cluster, parsed.name

    async def reconcile(self, key: Key) -> float | None:
        """Decide about one definition, or about all that were refused (empty name)."""
        cluster, name = key
        if not name:
            for crd in (await self._registry.list(self._definitions, cluster))[0]:
                if not is_true(crd, "NamesAccepted"):
                    await self.reconcile((cluster, crd["metadata"]["name"]))
            return None
        try:
            crd = await self._registry.get(self._definitions, cluster, "", name)
        except NotFound:
            return None
        if crd["metadata"].get("deletionTimestamp"):
            return await self._clean_up(cluster, crd)
        await self._decide(cluster, crd)
        return None

    async def _decide(self, cluster: str, crd: JsonObject) -> None:
        taken = await self._taken(cluster, crd)
        timestamp = self._registry.parts.timestamp()

        def change(obj: JsonObject) -> JsonObject | None:
            if obj["metadata"].get("deletionTimestamp"):
                return None
            status = obj.setdefault("status", {})
            accepted, condition = _accepted(obj, taken)
            changes = [status.get("acceptedNames") != accepted]
            status["acceptedNames"] = accepted
            changes.append(set_condition(obj, condition, timestamp))
            changes.append(_establish(obj, timestamp))
            if (approved := approval.condition(obj)) is not None:
                changes.append(set_condition(obj, approved, timestamp))
            return obj if any(changes) else None

        await self._registry.modify(
            self._definitions, cluster, "", crd["metadata"]["name"], change, subresource="status"
        )

    async def _taken(self, cluster: str, crd: JsonObject) -> _Taken:
        taken = _Taken()
        for other in (await self._registry.list(self._definitions, cluster))[0]:
            same_group = other["spec"].get("group") == crd["spec"].get("group")
            if not same_group or other["metadata"]["uid"] == crd["metadata"]["uid"]:
                continue
            names = (other.get("status") or {}).get("acceptedNames") or {}
            taken.resources |= {names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())}
            taken.kinds |= {names.get("kind", ""), names.get("listKind", "")}
        taken.resources.discard("")
        taken.kinds.discard("")
        return taken

    async def _clean_up(self, cluster: str, crd: JsonObject) -> float | None:
        """Delete all objects of a definition that is going; drop the finalizer once none is left."""
        if CLEANUP_FINALIZER not in (crd["metadata"].get("finalizers") or []):
            return None
        name = crd["metadata"]["name"]
        if is_true(crd, "Established") and not self._is_shaded(crd):
            left = await self._delete_objects(cluster, self._resource_of(crd))
            if left:
                await self._report(cluster, name)
                return _LOOK_AGAIN_S
        timestamp = self._registry.parts.timestamp()

        def change(obj: JsonObject) -> JsonObject | None:
            data = obj["metadata"]
            finalizers = data.get("finalizers") or []
            if not data.get("deletionTimestamp") or CLEANUP_FINALIZER not in finalizers:
                return None
            data["finalizers"] = [one for one in finalizers if one != CLEANUP_FINALIZER]
            set_condition(obj, _terminating("False", "InstanceDeletionCompleted", "removed all instances"), timestamp)
            return obj

        try:
            await self._registry.modify(self._definitions, cluster, "", name, change)
        except NotFound:
            return None
        return None

    def _is_shaded(self, crd: JsonObject) -> bool:
        spec = crd["spec"]
        return (spec.get("group", ""), spec["names"]["plural"]) in self._served

    async def _delete_objects(self, cluster: str, resource: Resource) -> int:
        left = 0
        async for row in rows_under(self._store, keys.range_prefix(resource, cluster)):
            left += await self._delete_one(cluster, resource, row)
        return left

    async def _delete_one(self, cluster: str, resource: Resource, row: Row) -> int:
        parsed = keys.parse_key(row.key)
        try:
            rest = await self._registry.delete(resource, cluster, parsed.namespace, parsed.name)
        except (NotFound, Conflict):
            return 0
        except ApiError:
            return 1
        return 0 if rest is None else 1

    async def _report(self, cluster: str, name: str) -> None:
        timestamp = self._registry.parts.timestamp()
        condition = _terminating("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")

        def change(obj: JsonObject) -> JsonObject | None:
            return obj if set_condition(obj, condition, timestamp) else None

        await self._registry.modify(self._definitions, cluster, "", name, change, subresource="status")


def _terminating(status: str, reason: str, message: str) -> JsonObject:
    return {"type": "Terminating", "status": status, "reason": reason, "message": message}


def _accepted(crd: JsonObject, taken: _Taken) -> tuple[JsonObject, JsonObject]:
    """Return the names accepted, and the condition NamesAccepted."""
    wanted = crd["spec"].get("names") or {}
    before = (crd.get("status") or {}).get("acceptedNames") or {}
    accepted, problem = dict(before), ("", "")
    for key, place, reason in (
        ("plural", taken.resources, "PluralConflict"),
        ("singular", taken.resources, "SingularConflict"),
        ("shortNames", taken.resources, "ShortNamesConflict"),
        ("kind", taken.kinds, "KindConflict"),
        ("listKind", taken.kinds, "ListKindConflict"),
    ):
        names = wanted.get(key) or ()
        clashing = [name for name in ([names] if isinstance(names, str) else names) if name in place]
        if clashing:
            problem = (reason, f'"{clashing[0]}" is already in use')
        elif key == "shortNames":
            _copy(accepted, wanted, key)
        elif names:
            accepted[key] = names
    _copy(accepted, wanted, "categories")
    if problem[0]:
        return accepted, {"type": "NamesAccepted", "status": "False", "reason": problem[0], "message": problem[1]}
    good = {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found"}
    return accepted, good


def _copy(accepted: JsonObject, wanted: JsonObject, key: str) -> None:
    if wanted.get(key):
        accepted[key] = list(wanted[key])
    else:
        accepted.pop(key, None)


def _establish(crd: JsonObject, timestamp: str) -> bool:
    """Set Established: once true it stays, names or not."""
    if is_true(crd, "Established"):
        return False
    if is_true(crd, "NamesAccepted"):
        text = "the initial names have been accepted"
        new = {"type": "Established", "status": "True", "reason": "InitialNamesAccepted", "message": text}
    else:
        text = "not all names are accepted"
        new = {"type": "Established", "status": "False", "reason": "NotAccepted", "message": text}
    return set_condition(crd, new, timestamp)
