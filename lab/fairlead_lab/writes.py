"""What a step of the play may do, and how times and conditions are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fairlead_api import JsonObject
from fairlead_lab.world import Key, key_of


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object; ``kind`` says which, the body has the rest."""

    kind: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge into the very version that was looked at; a newer one is a conflict, and the step is played again."""

    key: Key
    body: JsonObject
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object with that uid; ``grace_s`` None leaves the time to it."""

    key: Key
    uid: str
    grace_s: int | None = None


@dataclass(frozen=True, slots=True)
class Bind:
    """Give a pod its node."""

    key: Key
    uid: str
    node: str


Write = Create | Patch | Delete | Bind


@dataclass(frozen=True, slots=True)
class Played:
    """
    What one step came to.

    Attributes:
        writes: In order.
        again_s: When to look again though nothing changed, in seconds since the epoch; None: never.
    """

    writes: Sequence[Write] = ()
    again_s: float | None = None


NOTHING = Played()


def patched(obj: JsonObject, body: JsonObject, subresource: str = "") -> Patch:
    """Return the patch of an object as it was looked at."""
    version = {"resourceVersion": obj["metadata"]["resourceVersion"], "uid": obj["metadata"]["uid"]}
    return Patch(key_of(obj), {**body, "metadata": {**body.get("metadata", {}), **version}}, subresource)


def of_status(obj: JsonObject, status: JsonObject) -> list[Write]:
    """Return the write that gives an object a status; nothing when it has it. Keys that are gone are removed."""
    old = obj.get("status") or {}
    if old == status:
        return []
    removed = dict.fromkeys(old.keys() - status.keys())
    return [patched(obj, {"status": {**removed, **status}}, "status")]


def deleted(obj: JsonObject, grace_s: int | None = None) -> Delete:
    """Return the delete of an object as it was looked at."""
    return Delete(key_of(obj), obj["metadata"]["uid"], grace_s)


def at(seconds: float) -> str:
    """Return a moment as RFC 3339 text in whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> float:
    """Return a moment written as RFC 3339 in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def earliest(*moments: float | None) -> float | None:
    """Return the first of some moments."""
    return min((moment for moment in moments if moment is not None), default=None)
