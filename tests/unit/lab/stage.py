"""A cluster in memory and in virtual time, for the play: does what a server does with the writes, in any order."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import count

from fairlead_api import JsonObject
from fairlead_lab import nodes
from fairlead_lab.play import concerned, play
from fairlead_lab.replica_sets import active, is_ready
from fairlead_lab.settings import LabSettings
from fairlead_lab.world import Key, World, is_going, key_of, owner_of
from fairlead_lab.writes import Bind, Create, Delete, Patch, Write, at

NEVER = float("inf")


def merged(old: JsonObject, patch: JsonObject) -> JsonObject:
    """Merge a JSON merge patch (RFC 7386)."""
    result = dict(old)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result[key] if isinstance(result.get(key), dict) else {}, value)
        else:
            result[key] = value
    return result


class Stage:
    """
    Plays a cluster.

    Args:
        choose: Picks the next of some keys: the order in which workers come to them.
    """

    def __init__(self, settings: LabSettings, choose: Callable[[list[Key]], Key]) -> None:
        self.settings = settings
        self.world = World()
        self.now_s = 1_000_000.0
        self.steps = 0
        self._choose = choose
        self._numbers = count(1)
        self._queued: dict[Key, None] = {}
        self._timers: dict[Key, float] = {}
        self.watch: Callable[[], None] = lambda: None
        for create in nodes.registered(settings, (), "v1", self.now_s):
            self.create(create.body)

    def create(self, body: JsonObject) -> JsonObject:
        """Store a new object."""
        obj = deepcopy(body)
        metadata = obj["metadata"]
        number = next(self._numbers)
        metadata.setdefault("name", f"{metadata.get('generateName', '')}{number:05}")
        metadata |= {"uid": f"uid-{number}", "generation": 1, "creationTimestamp": at(self.now_s)}
        self._store(obj)
        return obj

    def change(self, key: Key, patch: JsonObject) -> None:
        """Change an object as a user does."""
        self._merge(key, patch, "")

    def run(self, until_s: float = NEVER) -> None:
        """Play until all is at rest, or until a moment."""
        while self._queued or self._timers:
            if not self._queued:
                due_s = min(self._timers.values())
                if due_s > until_s:
                    break
                self.now_s = max(self.now_s, due_s)
                due = [key for key, at_s in self._timers.items() if at_s <= self.now_s]
                for key in due:
                    del self._timers[key]
                    self._queued[key] = None
            self._step(self._choose(list(self._queued)))
        if until_s != NEVER:
            self.now_s = until_s

    def ready(self) -> int:
        """Count ready pods that stay."""
        return sum(is_ready(pod) for pod in active(self.world.all("Pod")))

    def _step(self, key: Key) -> None:
        self.steps += 1
        assert self.steps < 20_000, f"no rest: {key}"
        del self._queued[key]
        played = play(key, self.world, self.settings, self.now_s)
        for write in played.writes:
            if not self._write(write):
                self._queued[key] = None
                break
        if played.again_s is not None:
            self._timers[key] = played.again_s if played.again_s > self.now_s else self.now_s + 0.001

    def _write(self, write: Write) -> bool:
        """Do a write; False is a conflict."""
        match write:
            case Create(_, body):
                name = body["metadata"].get("name")
                key = Key(body["kind"], body["metadata"].get("namespace", ""), name or "")
                if not name or self.world.get(key) is None:
                    self.create(body)
            case Patch(key, body, subresource):
                old = self.world.get(key)
                if old is None or body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
                    return False
                self._merge(key, body, subresource)
            case Bind(key, uid, node):
                pod = self.world.get(key)
                assert pod is not None
                assert pod["metadata"]["uid"] == uid
                assert "nodeName" not in pod["spec"]
                scheduled = [{"type": "PodScheduled", "status": "True"}]
                self._store({**pod, "spec": {**pod["spec"], "nodeName": node}, "status": {"conditions": scheduled}})
            case Delete():
                self._delete(write)
        self.watch()
        return True

    def _merge(self, key: Key, patch: JsonObject, subresource: str) -> None:
        old = self.world.get(key)
        assert old is not None
        allowed = {"status"} if subresource else old.keys() - {"status"}
        new = merged(deepcopy(old), {name: value for name, value in patch.items() if name in {*allowed, "metadata"}})
        if new["spec"] != old["spec"] if "spec" in new else False:
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if new != old:
            self._store(new)

    def _delete(self, write: Delete) -> None:
        obj = self.world.get(write.key)
        if obj is None or obj["metadata"]["uid"] != write.uid:
            return
        if obj["kind"] == "Pod" and obj["spec"].get("nodeName") and write.grace_s != 0:
            if not is_going(obj):
                metadata = {**obj["metadata"], "deletionTimestamp": at(self.now_s), "deletionGracePeriodSeconds": 30}
                self._store({**obj, "metadata": metadata})
            return
        self.remove(obj)

    def remove(self, obj: JsonObject) -> None:
        """Take an object and all it owns away."""
        gone = self.world.remove(key_of(obj))
        assert gone is not None
        for kind in ("ReplicaSet", "Pod", "EndpointSlice"):
            for other in list(self.world.all(kind)):
                if (owner_of(other) or {}).get("uid") == obj["metadata"]["uid"]:
                    self._delete(Delete(key_of(other), other["metadata"]["uid"]))
        self._enqueue(gone)

    def _store(self, obj: JsonObject) -> None:
        version = str(next(self._numbers))
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}
        assert self.world.put(stored, self.now_s)
        self._enqueue(stored)

    def _enqueue(self, obj: JsonObject) -> None:
        self._queued.update(dict.fromkeys(concerned(obj, self.world)))


def deployment(replicas: int, *, image: str = "a", strategy: JsonObject | None = None, **spec: object) -> JsonObject:
    """Return a Deployment named web."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
            "progressDeadlineSeconds": 600,
            "strategy": strategy or {"type": "RollingUpdate"},
            **spec,
        },
    }
