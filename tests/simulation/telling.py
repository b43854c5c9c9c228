"""Makes the history of a day from what its stores have written."""

from __future__ import annotations

import orjson

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.encoding import decode
from fairlead_control_plane.store.contract import Event
from tests.simulation.parts import PLANE
from tests.simulation.servers import rows_of
from tests.simulation.world import Heard, World
from tests.support.checking.causes import BACKUP
from tests.support.checking.history import Ended, Record
from tests.support.checking.recorder import Recorder

_NO_OBJECTS = ("/views/", "/owners/", "/paths/", "/meta/")
_ACTORS = ("agent:", "user", BACKUP)
_CLUSTERS_OWN = frozenset({"kube-root-ca.crt", "default"})
"""Made in a namespace by the cluster itself, in the very write that makes the namespace."""
_ASSIGNMENTS = "assignments.scheduling.fairlead.io"


def history_of(world: World) -> list[Record]:
    """Return the history of a day that has ended."""
    return _Teller(world).tell()


class _Teller:
    """Makes records of what was heard."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._recorder = Recorder()
        self._objects: dict[tuple[str, str], JsonObject] = {}

    def tell(self) -> list[Record]:
        """Return the records in order."""
        start_s = self._world.base.at_s
        for host, data in self._world.first.items():
            side = self._world.side(host)
            for key, obj in _objects(data).items():
                self._recorder.found("first", side, _resource(key), obj)
                self._objects[side, key] = obj
                if _resource(key) == _ASSIGNMENTS:
                    self._recorder.wrote(start_s, side, "system", _resource(key), None, obj)
        for one in self._world.log:
            if isinstance(one, Heard):
                for event in one.events:
                    self._event(one, event)
            elif isinstance(one, tuple):
                self._replace(*one)
            else:
                self._recorder.add(one)
        self._last()
        return self._recorder.records

    def _event(self, heard: Heard, event: Event) -> None:
        if event.key.startswith("/views/"):
            if event.row is not None:
                self._recorder.row(heard.at_s, event.key, orjson.loads(event.row.value))
            return
        if not _is_object(event.key):
            return
        new = None if event.row is None else decode(event.row)
        self._write(heard.at_s, heard.side, heard.actors.get(event.revision, "system"), event.key, new)

    def _write(self, at_s: float, side: str, actor: str, key: str, new: JsonObject | None) -> None:
        old = self._objects.pop((side, key), None)
        if new is not None:
            self._objects[side, key] = new
        known = actor if actor.startswith(_ACTORS) and key.rpartition("/")[2] not in _CLUSTERS_OWN else "system"
        self._recorder.wrote(at_s, side, known, _resource(key), old, new)

    def _replace(self, at_s: float, side: str, data: bytes) -> None:
        after = _objects(data)
        before = [key for where, key in self._objects if where == side]
        for key in sorted({*before, *after}, key=lambda key: (not key.startswith("/core/namespaces/"), key)):
            new, old = after.get(key), self._objects.get((side, key))
            if new != old:
                self._write(at_s, side, BACKUP, key, new)

    def _last(self) -> None:
        for (side, key), obj in self._objects.items():
            self._recorder.found("last", side, _resource(key), obj)
        for row in rows_of(self._world.servers[PLANE].content()):
            if row.key.startswith("/views/"):
                self._recorder.found_row(row.key, orjson.loads(row.value))
        self._recorder.add(Ended(self._world.ended_s))


def _is_object(key: str) -> bool:
    return not key.startswith(_NO_OBJECTS) and key.count("/") == 6


def _resource(key: str) -> str:
    _, group, plural, *_ = key.split("/")
    return plural if group == "core" else f"{plural}.{group}"


def _objects(data: bytes) -> dict[str, JsonObject]:
    """Return all objects of a store's content by key, namespaces first."""
    found = {row.key: decode(row) for row in rows_of(data) if _is_object(row.key)}
    return dict(sorted(found.items(), key=lambda one: (not one[0].startswith("/core/namespaces/"), one[0])))
