"""
What the agent knows of both sides: views from above, its own objects from below.

Only what is assigned to this target and what it has made is held; nothing of it is ever taken for the whole truth: a
view that is missing here causes nothing, and before anything is confirmed as gone the cluster itself is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from fairlead_api import JsonObject
from fairlead_api.names import Locator
from fairlead_machinery.client import Gvr
from fairlead_syncer.plan import DOWNSTREAM_UID, ROW, SEAL, Adoption, adoption_of, annotations_of, is_tombstone
from fairlead_syncer.proofs import is_proved
from fairlead_syncer.target import Key, SyncTarget
from fairlead_transforms.downstream import LOCATOR
from fairlead_transforms.names import upstream_name
from fairlead_transforms.policy import TenantPolicy

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
        refused: What is not synced, or not as it is now, as its users were told.
        adoptions: What an administrator has handed over, by (workload cluster, upstream namespace).
        policy: What tenants may ask of the cluster, as its owner last said.
    """

    target: SyncTarget
    policy: TenantPolicy = field(default_factory=TenantPolicy)
    views: dict[Key, JsonObject] = field(default_factory=dict)
    _by_namespace: dict[tuple[str, str], set[Key]] = field(default_factory=dict)
    actual: dict[Key, JsonObject] = field(default_factory=dict)
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)
    gvrs: dict[tuple[str, str], Gvr] = field(default_factory=dict)
    refused: set[Key] = field(default_factory=set)
    adoptions: dict[tuple[str, str], Adoption] = field(default_factory=dict)

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
        name = namespace["metadata"]["name"]
        if self.target.namespace(locator.cluster, locator.namespace) != name:
            return None
        place = locator.cluster, locator.namespace
        return place if self._is_made(namespace, *place) else None

    def _is_made(self, namespace: JsonObject, cluster: str, home: str) -> bool:
        """
        Tell whether a namespace is the one that we made, or were given, and no copy of it.

        All its marks can be read, and written on another. The seal is of the uid; what upstream recorded is the uid,
        and outlives our key; the proof of its making is good until that is recorded, on what we wrote it ourselves.
        """
        metadata, marks = namespace["metadata"], annotations_of(namespace)
        uid = metadata.get("uid", "")
        if marks.get(SEAL) == self.target.seal(metadata["name"], uid):
            return True
        given = self.adoptions.get((cluster, home))
        if given is not None and given.uid == uid:
            return True
        key = Key("", "namespaces", cluster, "", home)
        view = self.views.get(key)
        if view is None:
            return False
        return annotations_of(view).get(DOWNSTREAM_UID) == uid or is_proved(namespace, self.proof(key, view))

    def put_view(self, key: Key, view: JsonObject) -> None:
        """Take in a view."""
        self.views[key] = view
        if (key.group, key.resource) == ("", "namespaces"):
            self._take_adoption((key.cluster, key.name), view)
        self._by_namespace.setdefault((key.cluster, key.namespace), set()).add(key)

    def _take_adoption(self, place: tuple[str, str], view: JsonObject) -> None:
        given = adoption_of(view)
        if given is None:
            self.adoptions.pop(place, None)
            self.target.homes.pop(place, None)
        else:
            self.adoptions[place] = given
            self.target.homes[place] = given.home

    def is_given(self, cluster: str, namespace: str, obj: JsonObject) -> bool:
        """Tell whether an administrator has handed an object in the cluster over to this agent."""
        given = self.adoptions.get((cluster, namespace))
        return given is not None and obj["metadata"]["uid"] in given.objects

    def put_actual(self, key: Key, obj: JsonObject) -> None:
        """
        Take in our object as the cluster has it.

        Who owns which field is a third of it and hardly ever asked: that is kept as text.
        """
        metadata = obj["metadata"]
        entries = [
            {**entry, "fieldsV1": orjson.dumps(entry["fieldsV1"])} if isinstance(entry.get("fieldsV1"), dict) else entry
            for entry in metadata.get("managedFields") or ()
        ]
        self.actual[key] = {**obj, "metadata": {**metadata, "managedFields": entries}} if entries else obj

    def told(self, key: Key, view: JsonObject, uid: str) -> None:
        """
        Take note that upstream has recorded the uid of what was made for a view, which is to be shown so only later.

        From now on no proof of before is worth anything: a copy of the object carries it too.
        """
        now = self.views.get(key)
        if now is not None and _row(now) == _row(view):
            now["metadata"].setdefault("annotations", {})[DOWNSTREAM_UID] = uid

    def drop_view(self, key: Key) -> None:
        """Forget a view; nothing follows from that."""
        self.views.pop(key, None)
        keys = self._by_namespace.get((key.cluster, key.namespace))
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._by_namespace[key.cluster, key.namespace]

    def views_in(self, cluster: str, namespace: str) -> list[tuple[Key, JsonObject]]:
        """Return the views of objects in one upstream namespace."""
        return [(key, self.views[key]) for key in self._by_namespace.get((cluster, namespace), ())]

    def learn(self, key: Key, answer: JsonObject) -> None:
        """Take in the cluster's answer to a write, unless an event has told something newer of the same object."""
        known = self.actual.get(key)
        if known is None or not _is_newer(known["metadata"], answer["metadata"]):
            self.put_actual(key, answer)

    def forget_resource(self, group: str, resource: str) -> None:
        """Forget all of one resource: what is no longer watched must not be taken for what is."""
        self.gvrs.pop((group, resource), None)
        for key in [key for key in self.views if key[:2] == (group, resource)]:
            self.drop_view(key)
        for key in [key for key in self.actual if key[:2] == (group, resource)]:
            del self.actual[key]

    def proof(self, key: Key, view: JsonObject) -> str:
        """Return the mark of what is made for a view now; see :meth:`SyncTarget.proof`."""
        marks = annotations_of(view)
        return self.target.proof(key, marks.get(ROW, ""), marks.get(DOWNSTREAM_UID, ""))

    def wants_namespace(self, cluster: str, namespace: str) -> bool:
        """Tell whether the namespace itself must run here."""
        view = self.views.get(Key("", "namespaces", cluster, "", namespace))
        return view is not None and not is_tombstone(view)


def _is_newer(one: JsonObject, other: JsonObject) -> bool:
    """Tell whether one metadata is of a later state of the same object; versions compare as numbers (KEP-5504)."""
    first, second = str(one.get("resourceVersion")), str(other.get("resourceVersion"))
    is_same = one.get("uid") == other.get("uid")
    return is_same and first.isdecimal() and second.isdecimal() and int(first) > int(second)


def _row(view: JsonObject) -> tuple[str, str]:
    return view["metadata"]["uid"], annotations_of(view).get(ROW, "")
