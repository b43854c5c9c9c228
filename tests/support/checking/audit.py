"""
Makes a history of a run against real clusters: from their audit logs, watches of the workspace, dumps and view rows.

The order is the caller's: all clusters' events are merged by time before they are given to the recorder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fairlead_api import JsonObject
from tests.support.checking.recorder import Recorder

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_Place = tuple[str, str, str]


@dataclass(slots=True)
class AuditLog:
    """
    One cluster's audit log (bodies of writes included) as writes.

    Args:
        where: uid of the SyncTarget.
        actors: Actor by user name; whoever is not in it and is no ``system:`` user is ``user``.
    """

    recorder: Recorder
    where: str
    actors: Mapping[str, str]
    _last: dict[_Place, JsonObject] = field(default_factory=dict)
    _replaced: dict[str, tuple[float, _Place, JsonObject]] = field(default_factory=dict)
    """By uid what another of its name was seen to have followed: its deletion may be answered, and told, later."""

    def begin(self, resource: str, objects: Iterable[JsonObject], *, phase: str = "first") -> None:
        """Take in what there was before the log begins; namespaces first."""
        for obj in objects:
            self.recorder.found(phase, self.where, resource, obj)
            self._last[_place(resource, obj)] = obj

    def take(self, event: JsonObject) -> None:
        """Record one audit event; what failed, was a dry run, a read or of no object is passed over."""
        reference = event.get("objectRef") or {}
        verb, code = event.get("verb"), int((event.get("responseStatus") or {}).get("code") or 0)
        dry = "dryRun=" in event.get("requestURI", "")
        if event.get("stage") != "ResponseComplete" or verb not in _WRITES or not 200 <= code < 300 or dry:
            return
        resource = ".".join(part for part in (reference.get("resource", ""), reference.get("apiGroup", "")) if part)
        at_s = _seconds(event.get("stageTimestamp") or event["requestReceivedTimestamp"])
        actor = self._actor(event)
        if verb == "deletecollection":
            self._emptied(at_s, actor, resource, reference.get("namespace", ""))
            return
        answer = event.get("responseObject") or {}
        name = reference.get("name") or (answer.get("metadata") or {}).get("name", "")
        place = (resource, reference.get("namespace", ""), name)
        if verb == "delete":
            self._deleted(at_s, actor, place, answer)
        elif answer.get("metadata", {}).get("uid") and reference.get("subresource", "status") in {"", "status"}:
            self._wrote(at_s, actor, place, answer)

    def catch_up(self, at_s: float, resource: str, objects: Iterable[JsonObject], revision: int) -> None:
        """
        Take in all objects of a resource as they were at a revision, where a crash has left writes untold.

        A killed API server may have written and not said so; who asked for that is not known, so ``system`` did it.
        """
        there = {_place(resource, obj): obj for obj in objects}
        for place, old in list(self._last.items()):
            if place[0] == resource and place not in there and _revision(old) <= revision:
                self.recorder.wrote(at_s, self.where, "system", resource, self._last.pop(place), None)
        for place, obj in there.items():
            known = self._last.get(place)
            if known is None or _revision(known) < _revision(obj):
                self._wrote(at_s, "system", place, obj)

    def end(self) -> None:
        """Take what was replaced and never told to be deleted for gone by then."""
        for at_s, place, old in self._replaced.values():
            self.recorder.wrote(at_s, self.where, "system", place[0], old, None)
        self._replaced.clear()

    def _wrote(self, at_s: float, actor: str, place: _Place, obj: JsonObject) -> None:
        old = self._last.get(place)
        metadata = obj["metadata"]
        if old is None and place[0] == "namespaces" and metadata.get("deletionTimestamp"):
            return  # its end was told when it was asked for
        if old is not None and old["metadata"].get("uid") != metadata.get("uid"):
            self._replaced[old["metadata"].get("uid", "")] = (at_s, place, old)
            old = None
        is_gone = metadata.get("deletionTimestamp") and not metadata.get("finalizers") and place[0] != "namespaces"
        self.recorder.wrote(at_s, self.where, actor, place[0], old, None if is_gone else obj)
        if is_gone:
            self._last.pop(place, None)
        else:
            self._last[place] = obj

    def _deleted(self, at_s: float, actor: str, place: _Place, answer: JsonObject) -> None:
        """Record a deletion by who asked for it; that finalizers or a namespace's content delay it is no matter."""
        uid = (answer.get("metadata") or {}).get("uid") or (answer.get("details") or {}).get("uid") or ""
        old: JsonObject | None
        if uid in self._replaced:
            old = self._replaced.pop(uid)[2]
        elif uid and place in self._last and self._last[place]["metadata"].get("uid") != uid:
            return  # of an object before the one there is now, and told already
        else:
            old = self._last.pop(place, None)
        if old is None and (answer.get("metadata") or {}).get("uid"):
            old = answer
        if old is not None:
            self.recorder.wrote(at_s, self.where, actor, place[0], old, None)

    def _emptied(self, at_s: float, actor: str, resource: str, namespace: str) -> None:
        for place in [place for place in self._last if place[:2] == (resource, namespace)]:
            self.recorder.wrote(at_s, self.where, actor, resource, self._last.pop(place), None)

    def _actor(self, event: JsonObject) -> str:
        user = (event.get("impersonatedUser") or event.get("user") or {}).get("username", "")
        return self.actors.get(user) or ("system" if user.startswith("system:") else "user")


@dataclass(slots=True)
class Workspace:
    """Watches of the workspace as writes: resource, type and object of each event, in order of arrival."""

    recorder: Recorder
    _last: dict[tuple[str, _Place], JsonObject] = field(default_factory=dict)

    def take(self, at_s: float, resource: str, kind: str, obj: JsonObject, *, actor: str = "user") -> None:
        """Record a watch event (ADDED, MODIFIED or DELETED); a change of status alone is the agent's to explain."""
        place = (str((obj["metadata"].get("annotations") or {}).get("kcp.io/cluster", "")), _place(resource, obj))
        old = self._last.pop(place, None)
        if kind != "DELETED":
            self._last[place] = obj
        self.recorder.wrote(
            at_s, "", actor, resource, old if kind != "DELETED" else obj, None if kind == "DELETED" else obj
        )


def _place(resource: str, obj: JsonObject) -> _Place:
    return resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _revision(obj: JsonObject) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
