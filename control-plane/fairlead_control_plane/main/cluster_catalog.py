"""The resources of the ``cluster`` profile: Kubernetes' own and the definitions of its one logical cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.custom import resource_from_crd
from fairlead_control_plane.kinds.keys import range_prefix
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Event, Store


class ClusterCatalog:
    """
    Implements :class:`fairlead_control_plane.kinds.catalog.Catalog`; built-in group versions win over definitions.

    A definition in a group version that the server serves itself is not served, as behind Kubernetes' aggregator.

    Read again after a write to any definition, which is noticed before the writer hears of it.
    """

    def __init__(self, store: Store, builtin: Sequence[Resource], definitions: Resource) -> None:
        self._reader = ObjectReader(store)
        self._builtin = tuple(builtin)
        self._definitions = definitions
        self._prefix = range_prefix(definitions)
        self._versions = {(kind.group, version.name) for kind in builtin for version in kind.versions}
        self._names = {(resource.group, resource.plural): resource for resource in builtin}
        self._changes = 0
        self._since: dict[tuple[str, int], int] = {}
        self._known: tuple[int, tuple[Resource, ...], dict[tuple[str, str], Resource]] | None = None
        self.close: Callable[[], None] = store.listen(self._heard)

    async def lookup(self, cluster: str, group: str, plural: str, identity: str = "") -> Resource | None:
        """See the protocol."""
        if identity:
            return None
        builtin = self._names.get((group, plural))
        return builtin if builtin is not None else (await self._read(cluster))[1].get((group, plural))

    async def resources(self, cluster: str) -> Sequence[Resource]:
        """See the protocol; the same object until a definition changes."""
        return (await self._read(cluster))[0]

    async def _read(self, cluster: str) -> tuple[tuple[Resource, ...], dict[tuple[str, str], Resource]]:
        while self._known is None or self._known[0] != self._changes:
            changes = self._changes
            definitions = await self._reader.list(self._definitions, cluster)
            custom = [self._record(each) for each in definitions if _is_established(each)]
            known = {(each["metadata"]["uid"], each["metadata"].get("generation", 0)) for each in definitions}
            self._since = {content: since for content, since in self._since.items() if content in known}
            custom = [each for each in custom if not self._is_shaded(each)]
            names = {(each.group, each.plural): each for each in custom} | self._names
            self._known = (changes, tuple(names[key] for key in {**self._names, **names}), names)
        return self._known[1:]

    def _record(self, definition: JsonObject) -> Resource:
        """Return a definition's record, whose ``since`` stays while only metadata and status of it change."""
        made, metadata = resource_from_crd(definition), definition["metadata"]
        content = (metadata["uid"], metadata.get("generation", 0))
        return replace(made, since=self._since.setdefault(content, made.since))

    def _is_shaded(self, kind: Resource) -> bool:
        return any((kind.group, version.name) in self._versions for version in kind.versions)

    def _heard(self, events: Sequence[Event], revision: int) -> None:
        del revision
        if any(event.key.startswith(self._prefix) for event in events):
            self._changes += 1


def _is_established(definition: JsonObject) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Established" and each.get("status") == "True" for each in conditions)
