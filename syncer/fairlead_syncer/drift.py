"""
Drift: fields of our object that somebody in the cluster has changed, who that was, and what to do about each.

A field has drifted when it is not what we apply and its owner, by ``managedFields``, is not us. What we still own and
differs anyway was changed upstream, or rewritten by admission. Annotations of the user's object say what to do:
``sync.fairlead.io/drift: accept`` leaves every such value and stops owning the field; ``sync.fairlead.io/leave`` names
managers and what they may own, as ``MANAGER PATH[,PATH]`` joined by ``;``. All else is put back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject
from fairlead_syncer.plan import HASH, annotations_of, compared, holds
from fairlead_syncer.proofs import OWN_MANAGER, fields_of
from fairlead_syncer.target import Key
from fairlead_transforms.strip import is_internal

POLICY, LEAVE = "sync.fairlead.io/drift", "sync.fairlead.io/leave"
MOST = 10
"""How many fields are told of one object."""
UNKNOWN = "unknown"

Step = str | tuple[str]
"""A field of a map, or the item of a list that has a name."""
Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What the user wants.

    Attributes:
        accept: Leave whatever others have changed.
        leave: Manager and path (as text) of what that manager may own.
    """

    accept: bool = False
    leave: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """
    One field.

    Attributes:
        path: As text.
        manager: Who owns it now.
        since: RFC 3339 time of that manager's last write; "" if unknown.
        left: It stays as it is; else it is put back.
    """

    path: str
    manager: str
    since: str
    left: bool

    def to_json(self) -> JsonObject:
        """Return the form of a report."""
        return {"path": self.path, "manager": self.manager, "since": self.since, "left": self.left}


class Drifts:
    """Remembers, by key, which fields have drifted, and what was told of that; bounded by the objects that drift."""

    def __init__(self) -> None:
        self._now: dict[Key, list[JsonObject]] = {}
        self._told: dict[Key, list[JsonObject]] = {}

    def note(self, key: Key, drifts: Sequence[Drift]) -> None:
        """Take note of what has drifted."""
        if drifts:
            self._now[key] = [one.to_json() for one in drifts[:MOST]]
        else:
            self._now.pop(key, None)

    def is_news(self, key: Key) -> bool:
        """Tell whether something else was told."""
        return self._now.get(key) != self._told.get(key)

    def to_tell(self, key: Key) -> JsonObject:
        """Return the ``drift`` of a report; nothing where there is none and none was told."""
        return {"drift": self._now.get(key, [])} if key in self._now or key in self._told else {}

    def told(self, key: Key, report: JsonObject) -> None:
        """Take note that a report was taken."""
        if report.get("drift"):
            self._told[key] = report["drift"]
        else:
            self._told.pop(key, None)

    def forget(self, key: Key) -> None:
        """Drop an object that is gone."""
        self._now.pop(key, None)
        self._told.pop(key, None)


def policy_of(view: JsonObject) -> Policy:
    """Return what the user wants; what cannot be read counts for nothing."""
    marks = annotations_of(view)
    leave = []
    for rule in marks.get(LEAVE, "").split(";"):
        manager, _, paths = rule.strip().partition(" ")
        leave += [(manager, path.strip()) for path in paths.split(",") if path.strip()]
    return Policy(marks.get(POLICY) == "accept", tuple(leave))


def settle(desired: JsonObject, actual: JsonObject, policy: Policy) -> tuple[JsonObject, list[Drift]]:
    """
    Return what to apply, less what is to be left, and which fields have drifted.

    Args:
        desired: What the view asks for, with our marks.
        actual: Our object in the cluster, with ``managedFields``.
        policy: What to do.
    """
    wanted = compared(desired)
    if holds(actual, wanted):
        return desired, []
    is_as_applied = annotations_of(desired).get(HASH) == annotations_of(actual).get(HASH)
    found = []
    for path in _differing(wanted, actual, ()):
        ours, other = _owners(actual, path)
        if ours or (other is None and not is_as_applied):
            continue
        manager, since = other or (UNKNOWN, "")
        left = policy.accept or any(_is_below(path, one) for name, one in policy.leave if name == manager)
        found.append(Drift(text(path), manager, since, left))
        if left:
            desired = _without(desired, path)
    return desired, found


def text(path: Path) -> str:
    """Return a path as people write it: ``spec.containers[name=web].image``, ``metadata.labels[app.io/tier]``."""
    parts = ""
    for step in path:
        if isinstance(step, tuple):
            parts += f"[name={step[0]}]"
        elif "." in step or "/" in step:
            parts += f"[{step}]"
        else:
            parts += f".{step}" if parts else step
    return parts


def _is_below(path: Path, allowed: str) -> bool:
    said = text(path)
    return said == allowed or said.startswith((f"{allowed}.", f"{allowed}["))


def _differing(wanted: Any, actual: Any, path: Path) -> Iterator[Path]:
    """Yield the least places in which ``actual`` is not what is wanted; our own marks are none."""
    if holds(actual, wanted) or (path[:1] == ("metadata",) and isinstance(path[-1], str) and is_internal(path[-1])):
        return
    if isinstance(wanted, dict) and isinstance(actual, dict):
        for name, value in wanted.items():
            yield from _differing(value, actual.get(name), (*path, name))
    elif _are_named(wanted) and _are_named(actual) and _names(wanted) == _names(actual):
        for one, other in zip(wanted, actual, strict=True):
            yield from _differing(one, other, (*path, (one["name"],)))
    elif isinstance(wanted, dict) and wanted:
        for name, value in wanted.items():
            yield from _differing(value, None, (*path, name))
    else:
        yield path


def _are_named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and one.get("name") for one in value)


def _names(items: Sequence[JsonObject]) -> list[str]:
    return [one["name"] for one in items]


def _owners(actual: JsonObject, path: Path) -> tuple[bool, tuple[str, str] | None]:
    """Return whether we own a field, and the last other who does, with the time of their last write."""
    ours, others = False, []
    for entry in actual["metadata"].get("managedFields") or ():
        if not _has(fields_of(entry), path):
            continue
        if entry.get("manager") == OWN_MANAGER:
            ours = True
        else:
            others.append((str(entry.get("time") or ""), str(entry.get("manager") or UNKNOWN)))
    if not others:
        return ours, None
    since, manager = max(others)
    return ours, (manager, since)


def _has(fields: Mapping[str, Any], path: Path) -> bool:
    here: Any = fields
    for step in path:
        if not isinstance(here, dict):
            return False
        here = here.get(f"f:{step}") if isinstance(step, str) else _item(here, step[0])
        if here is None:
            return False
    return True


def _item(fields: Mapping[str, Any], name: str) -> Any:
    """Return the fields of a list's item, whatever other keys the list is merged by."""
    for key, below in fields.items():
        if key.startswith("k:") and json.loads(key[2:]).get("name") == name:
            return below
    return None


def _without(value: Any, path: Path) -> Any:
    """Return a copy without one place; what is not on the way is shared."""
    step, rest = path[0], path[1:]
    if isinstance(step, tuple):
        return [_without(one, rest) if one["name"] == step[0] else one for one in value]
    if rest:
        return {**value, step: _without(value[step], rest)}
    return {name: one for name, one in value.items() if name != step}
