"""Which resources a logical cluster has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from fairlead_control_plane.kinds.record import Resource


class Catalog(Protocol):
    """
    Answers for one logical cluster: built-in kinds, then bound APIs, then its own CRDs.

    Resources not there are not there in any verb: 404, absent from discovery.
    """

    async def lookup(self, cluster: str, group: str, plural: str, identity: str = "") -> Resource | None:
        """
        Return the resource, or None.

        Args:
            cluster: Logical cluster name; ``*`` looks across all (then ``identity`` picks a bound API).
            group, plural: As in the request.
            identity: Only for ``*``.
        """

    async def resources(self, cluster: str) -> Sequence[Resource]:
        """Return all resources of a logical cluster, in a stable order (discovery, namespace deletion)."""


class StaticCatalog:
    """The same resources everywhere (``cluster`` profile without CRDs, tests)."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources = tuple(resources)
        self._by_name = {(resource.group, resource.plural): resource for resource in self._resources}

    async def lookup(self, cluster: str, group: str, plural: str, identity: str = "") -> Resource | None:
        """See :class:`Catalog`."""
        del cluster
        found = self._by_name.get((group, plural))
        return found if found is not None and found.identity == identity else None

    async def resources(self, cluster: str) -> Sequence[Resource]:
        """See :class:`Catalog`."""
        del cluster
        return self._resources
