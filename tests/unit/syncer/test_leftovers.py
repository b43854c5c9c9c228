"""What is told of objects with our marks that no view explains."""

from __future__ import annotations

import orjson

from fairlead_api import JsonObject
from fairlead_machinery.client import Gvr
from fairlead_syncer.leftovers import GRACE_S, Leftovers
from fairlead_syncer.state import NAMESPACES, State
from fairlead_syncer.target import Key, SyncTarget

MAPS = Gvr("", "v1", "configmaps")
SETS = Gvr("apps", "v1", "replicasets")
TARGET = SyncTarget("root", "east", "t1", "host", "443", b"secret")
HOME = TARGET.namespace("c", "default")
SPACE = Key("", "namespaces", "c", "", "default")


def key(name: str) -> Key:
    return Key("", "configmaps", "c", "default", name)


def below(name: str, namespace: str = HOME, **metadata: object) -> JsonObject:
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"d-{name}", **metadata}}


def view(name: str) -> JsonObject:
    return {"metadata": {"name": name, "uid": f"u-{name}"}}


class Room:
    """A cluster with our namespace, and the time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.state = State(TARGET)
        self.state.homes[HOME] = ("c", "default")
        self.state.put_view(SPACE, view("default"))
        self.leftovers = Leftovers(self.state, lambda: self.now_s)
        assert self.leftovers.summary() is None

    def later(self) -> JsonObject:
        """Return what is told after a while."""
        self.leftovers.summary()
        self.now_s += GRACE_S
        told = self.leftovers.summary()
        assert told is not None
        return told


def test_what_has_a_view_is_explained() -> None:
    """Live or to be deleted; and what goes with its owner or with its namespace."""
    room = Room()
    room.state.put_view(key("a"), view("a"))
    room.state.actual[key("a")] = below("a")
    owned = below("web-1", ownerReferences=[{"controller": True}])
    room.state.actual[Key("apps", "replicasets", "c", "default", "web-1")] = owned
    room.leftovers.note(SETS, {**owned, "metadata": {**owned["metadata"], "namespace": "elsewhere"}}, is_known=False)
    room.state.actual[Key("", "secrets", "c", "default", "kcp-token-builder")] = below("kcp-token-builder")
    assert room.later() == {"count": 0, "kinds": [], "examples": []}


def test_what_has_none_is_told_by_kind_and_place() -> None:
    """Objects in our namespaces, namespaces of ours, and copies of namespaces."""
    room = Room()
    room.state.actual[key("a")] = below("a")
    room.state.actual[key("b")] = below("b")
    room.state.homes["kcp-old"] = ("c", "old")
    room.leftovers.note(NAMESPACES, {"metadata": {"name": "kcp-copy", "uid": "n"}}, is_known=False)
    assert room.later() == {
        "count": 4,
        "kinds": [
            {"resource": "configmaps", "namespace": HOME, "count": 2},
            {"resource": "namespaces", "namespace": "", "count": 2},
        ],
        "examples": [f"configmaps {HOME}/a", f"configmaps {HOME}/b", "namespaces kcp-copy", "namespaces kcp-old"],
    }
    room.leftovers.forget(NAMESPACES, "", "kcp-copy")
    del room.state.homes["kcp-old"]
    room.state.put_view(key("b"), view("b"))
    assert room.later()["examples"] == [f"configmaps {HOME}/a"]


def test_what_is_on_its_way_is_not_told() -> None:
    """One side is heard of before the other; and an agent that starts takes nothing back before it can know."""
    room = Room()
    assert room.later()["count"] == 0
    room.state.actual[key("a")] = below("a")
    told = room.leftovers.summary()
    assert told is not None
    assert told["count"] == 0
    room.now_s += GRACE_S
    del room.state.actual[key("a")]
    assert room.later()["count"] == 0


def test_what_is_told_is_bounded() -> None:
    """However many there are, and whatever their names."""
    room = Room()
    for number in range(300):
        gvr = Gvr("example.org", "v1", f"kind{number % 50}")
        room.leftovers.note(gvr, below(f"{number}-{'x' * 250}", namespace=f"other-{number}"), is_known=False)
    told = room.later()
    assert told["count"] == 300
    assert len(told["kinds"]) == 20
    assert len(orjson.dumps(told)) < 4096


def test_a_kind_that_is_watched_no_more_is_forgotten() -> None:
    """Nobody would hear of the end of its objects."""
    room = Room()
    room.leftovers.note(MAPS, below("a", namespace="other"), is_known=False)
    room.leftovers.drop(MAPS)
    assert room.later()["count"] == 0
