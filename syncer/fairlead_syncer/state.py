"""
What the agent knows of both sides: views from above, its own objects from below.

Only what is assigned to this target and what it has made is held; nothing of it is ever taken for the whole truth: a
view that is missing here causes nothing, and before anything is confirmed as gone the cluster itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fairlead_api import JsonObject
from fairlead_api.names import Locator
from fairlead_machinery.client import Gvr
from fairlead_syncer.plan import is_tombstone
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.downstream import LOCATOR
from fairlead_transforms.names import upstream_name

NAMESPACES = Gvr("", "v1", "namespaces")


@dataclass(slots=True)
class State:
    """
    Both sides by key.

    Attributes:
        views: From the syncer's virtual workspace, tombstones included.
        actual: Our objects in the cluster, by their upstream key.
        homes: (workload cluster, upstream namespace) by downstream namespace, read from its locator.
        gvrs: How each synced resource is addressed.
    """

    target: SyncTarget
    views: dict[Key, JsonObject] = field(default_factory=dict)
    actual: dict[Key, JsonObject] = field(default_factory=dict)
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)
    gvrs: dict[tuple[str, str], Gvr] = field(default_factory=dict)

    def view_key(self, gvr: Gvr, view: JsonObject) -> Key:
        """Return the key of a view."""
        metadata = view["metadata"]
        cluster = (metadata.get("annotations") or {}).get("kcp.io/cluster", "")
        return Key(gvr.group, gvr.resource, cluster, metadata.get("namespace", ""), metadata["name"])

    def actual_key(self, gvr: Gvr, obj: JsonObject) -> Key | None:
        """Return the upstream key of an object of ours; None when its namespace is none of ours."""
        metadata = obj["metadata"]
        if gvr == NAMESPACES:
            home = self.home_of(obj)
            return None if home is None else Key("", "namespaces", home[0], "", home[1])
        home = self.homes.get(metadata.get("namespace", ""))
        if home is None:
            return None
        return Key(gvr.group, gvr.resource, *home, upstream_name(gvr.group, gvr.resource, metadata["name"]))

    def home_of(self, namespace: JsonObject) -> tuple[str, str] | None:
        """
        Return what a downstream namespace stands for, by its locator.

        None unless the locator names this target and the namespace has the name that follows from it: a locator
        rewritten by somebody in the cluster leads nowhere (S71).
        """
        text = (namespace["metadata"].get("annotations") or {}).get(LOCATOR)
        if not text:
            return None
        try:
            locator = Locator.from_json(text)
        except ValueError:
            return None
        if locator != self.target.locator(locator.cluster, locator.namespace):
            return None
        if self.target.namespace(locator.cluster, locator.namespace) != namespace["metadata"]["name"]:
            return None
        return locator.cluster, locator.namespace

    def views_in(self, cluster: str, namespace: str) -> Iterator[tuple[Key, JsonObject]]:
        """Yield the views of objects in one upstream namespace."""
        for key, view in self.views.items():
            if (key.cluster, key.namespace) == (cluster, namespace):
                yield key, view

    def wants_namespace(self, cluster: str, namespace: str) -> bool:
        """Tell whether the namespace itself must run here."""
        view = self.views.get(Key("", "namespaces", cluster, "", namespace))
        return view is not None and not is_tombstone(view)
