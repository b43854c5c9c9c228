"""
Which policies each logical cluster has.

Names of bindings are in memory, so that a write where there are none costs a look into a dictionary. What policies say
is read when a write first needs it, and again after one of them changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from fairlead_api import JsonObject
from fairlead_control_plane.admission.policies.compiled import Binding, Hook, Policy
from fairlead_control_plane.kinds.keys import parse_key, range_prefix
from fairlead_control_plane.kinds.reader import ObjectReader
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Event, Store, prefix_end


class PolicyIndex:
    """
    The policies of one kind, of all logical clusters.

    Invariant: once a write to a policy or a binding has been answered, no request is admitted by what was there before,
    because the store tells listeners before it answers the writer. What is there at the start is found by the first
    write.
    """

    def __init__(
        self, store: Store, policies: Resource, bindings: Resource, *, mutates: bool, size: int = 1024
    ) -> None:
        self._store = store
        self._reader = ObjectReader(store)
        self._policies, self._bindings = policies, bindings
        self._prefixes = (range_prefix(policies), range_prefix(bindings))
        self._mutates = mutates
        self._size = size
        self._bound: dict[str, set[str]] = {}
        self._is_loaded = False
        self._changes = 0
        self._hooks: OrderedDict[str, tuple[Hook, ...]] = OrderedDict()
        self._reading: dict[str, object] = {}
        self.close = store.listen(self._heard)

    def has_none(self, cluster: str) -> bool:
        """Tell whether it is certain that nothing is bound in a logical cluster: one look into a dictionary."""
        return self._is_loaded and cluster not in self._bound

    async def of(self, cluster: str) -> tuple[Hook, ...]:
        """Return the policies that are bound in a logical cluster, by name."""
        if not self._is_loaded:
            await self._load()
        if cluster not in self._bound:
            return ()
        found = self._hooks.get(cluster)
        if found is not None:
            return found
        return await self._read(cluster)

    async def _load(self) -> None:
        prefix = self._prefixes[1]
        while not self._is_loaded:
            before = self._changes
            rows = (await self._store.range(prefix, prefix_end(prefix))).rows
            if before != self._changes:
                continue
            self._bound.clear()
            for row in rows:
                key = parse_key(row.key)
                self._bound.setdefault(key.cluster, set()).add(key.name)
            self._is_loaded = True

    async def _read(self, cluster: str) -> tuple[Hook, ...]:
        mark = self._reading[cluster] = object()
        try:
            policies = await self._reader.list(self._policies, cluster)
            bindings = await self._reader.list(self._bindings, cluster)
        finally:
            is_current = self._reading.get(cluster) is mark
            if is_current:
                del self._reading[cluster]
        hooks = self._joined(policies, bindings)
        if is_current:
            self._hooks[cluster] = hooks
            if len(self._hooks) > self._size:
                self._hooks.popitem(last=False)
        return hooks

    def _joined(self, policies: Sequence[JsonObject], bindings: Sequence[JsonObject]) -> tuple[Hook, ...]:
        bound: dict[str, list[Binding]] = {}
        for binding in bindings:
            bound.setdefault(binding["spec"]["policyName"], []).append(Binding.of(binding))
        found = (policy for policy in policies if policy["metadata"]["name"] in bound)
        return tuple(
            Hook(Policy(policy, mutates=self._mutates), tuple(bound[policy["metadata"]["name"]])) for policy in found
        )

    def _heard(self, events: Sequence[Event], revision: int) -> None:
        del revision
        for event in events:
            if event.key.startswith(self._prefixes):
                self._changed(event)

    def _changed(self, event: Event) -> None:
        self._changes += 1
        key = parse_key(event.key)
        self._hooks.pop(key.cluster, None)
        self._reading.pop(key.cluster, None)
        if not event.key.startswith(self._prefixes[1]):
            return
        names = self._bound.setdefault(key.cluster, set())
        if event.row is not None:
            names.add(key.name)
            return
        names.discard(key.name)
        if not names:
            del self._bound[key.cluster]
