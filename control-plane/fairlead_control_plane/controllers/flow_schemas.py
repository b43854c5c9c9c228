"""
Writes in the status of FlowSchemas whether the priority level they name is there.

Source: k8s.io/apiserver pkg/util/flowcontrol/apf_controller.go (presyncFlowSchemaStatus).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import keys
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.store.contract import Event
from fairlead_control_plane.store.paging import rows_under

MANAGER = "api-priority-and-fairness-config-consumer-v1"
_ALL = ""
_DANGLING = "Dangling"


class FlowSchemas:
    """Keys are (cluster, name), with no name for all of a cluster: a priority level came or went."""

    name = "flow-schemas"

    def __init__(self, registry: Registry, schemas: Resource, levels: Resource) -> None:
        self._registry = registry
        self._schemas, self._levels = schemas, levels
        self._schema_prefix, self._level_prefix = keys.range_prefix(schemas), keys.range_prefix(levels)

    def keys(self, event: Event) -> Iterable[Key]:
        """Look at schemas that are written, and at all when a level comes or goes."""
        if event.key.startswith(self._schema_prefix) and event.row is not None:
            parsed = keys.parse_key(event.key)
            return [(parsed.cluster, parsed.name)]
        if event.key.startswith(self._level_prefix) and (event.row is None or event.previous is None):
            return [(keys.parse_key(event.key).cluster, _ALL)]
        return []

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every schema."""
        async for row in rows_under(self._registry.parts.store, self._schema_prefix):
            parsed = keys.parse_key(row.key)
            yield parsed.cluster, parsed.name

    async def reconcile(self, key: Key) -> float | None:
        """Write the condition where it is not what it should be."""
        cluster, name = key
        if name == _ALL:
            names = [each["metadata"]["name"] for each in (await self._registry.list(self._schemas, cluster))[0]]
        else:
            names = [name]
        for each in names:
            await self._tell(cluster, each)
        return None

    async def _tell(self, cluster: str, name: str) -> None:
        try:
            schema = await self._registry.get(self._schemas, cluster, "", name)
        except NotFound:
            return
        level = schema["spec"]["priorityLevelConfiguration"]["name"]
        wanted = condition(level, is_there=await self._is_there(cluster, level))

        def told(obj: JsonObject) -> JsonObject | None:
            conditions = (obj.get("status") or {}).get("conditions") or []
            before: JsonObject = next((each for each in conditions if each.get("type") == _DANGLING), {})
            if wanted.items() <= before.items():
                return None
            others = [each for each in conditions if each.get("type") != _DANGLING]
            now = self._registry.parts.timestamp()
            return {**obj, "status": {"conditions": [*others, {**wanted, "lastTransitionTime": now}]}}

        try:
            await self._registry.modify(self._schemas, cluster, "", name, told, subresource="status", manager=MANAGER)
        except NotFound:
            return  # it went meanwhile

    async def _is_there(self, cluster: str, level: str) -> bool:
        try:
            await self._registry.get(self._levels, cluster, "", level)
        except NotFound:
            return False
        return True


def condition(level: str, *, is_there: bool) -> JsonObject:
    """Return what is said of a schema that names a level; without the time."""
    referenced = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
    return {
        "type": _DANGLING,
        "status": "False" if is_there else "True",
        "reason": "Found" if is_there else "NotFound",
        "message": f"{referenced} and it exists" if is_there else f"{referenced} but there is no such object",
    }
