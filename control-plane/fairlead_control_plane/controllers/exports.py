"""
Gives exports their identity once the Secret they name is there.

Source: kcp-core 2.2.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_control_plane.controllers.runner import Key
from fairlead_control_plane.kinds import encoding
from fairlead_control_plane.kinds.keys import parse_key, range_prefix
from fairlead_control_plane.registry.registry import Registry
from fairlead_control_plane.sharing.exports import ExportEffects
from fairlead_control_plane.sharing.objects import EXPORTS, SECRETS, Maker
from fairlead_control_plane.store.contract import Event, prefix_end


class ExportController:
    """Keys are (cluster,): a Secret there was created or changed, and one of its exports may wait for it."""

    name = "exports"

    def __init__(self, registry: Registry, maker: Maker, effects: ExportEffects) -> None:
        self._registry = registry
        self._maker = maker
        self._effects = effects
        self._secrets = range_prefix(maker.records[SECRETS])
        self._exports = range_prefix(maker.records[EXPORTS])

    def keys(self, event: Event) -> Iterable[Key]:
        """See the class."""
        if event.row is None or not event.key.startswith(self._secrets):
            return []
        return [(parse_key(event.key).cluster,)]

    async def all_keys(self) -> AsyncIterator[Key]:
        """Yield every logical cluster that has an export."""
        found = await self._registry.parts.store.range(self._exports, prefix_end(self._exports))
        for cluster in dict.fromkeys(parse_key(row.key).cluster for row in found.rows):
            yield (cluster,)

    async def reconcile(self, key: Key) -> float | None:
        """Identify the exports of a cluster that have no identity."""
        (cluster,) = key
        prefix = f"{self._exports}{cluster}/"
        for row in (await self._registry.parts.store.range(prefix, prefix_end(prefix))).rows:
            export = encoding.decode(row)
            if not (export.get("status") or {}).get("identityHash"):
                await self._identify(cluster, export)
        return None

    async def _identify(self, cluster: str, export: JsonObject) -> None:
        made = (await self._effects.identify(cluster, export)).new
        if made is None or not made["status"].get("identityHash"):
            return

        def change(obj: JsonObject) -> JsonObject:
            return {**obj, "status": {**(obj.get("status") or {}), **made["status"]}}

        kind = self._maker.records[EXPORTS]
        try:
            await self._registry.modify(kind, cluster, "", export["metadata"]["name"], change, subresource="status")
        except NotFound:
            return
