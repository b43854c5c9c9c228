"""
What in the cluster bears our marks and no view explains: told with each heartbeat, and cause of nothing.

A restored control plane, a SyncTarget whose state was lost, or somebody's copies leave such objects. What has been
unexplained for a while only counts: the two sides are heard of one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from fairlead_api import JsonObject
from fairlead_machinery.client import Gvr
from fairlead_syncer.proofs import is_proved
from fairlead_syncer.state import State
from fairlead_syncer.target import Key
from fairlead_transforms.names import is_token_secret

GRACE_S = 60.0
_EXAMPLES, _KINDS, _LONGEST = 5, 20, 300
_MOST_STRAYS = 10_000

_Item = tuple[str, str, str, str]
"""Resource with its group, downstream namespace ("" for a namespace itself), name, uid."""


class Leftovers:
    """
    Counts what is unexplained.

    Args:
        state: Both sides.
        now_s: Monotonic seconds.
        grace_s: How long an object may be without a view before it is told.
    """

    def __init__(self, state: State, now_s: Callable[[], float], grace_s: float = GRACE_S) -> None:
        self._state = state
        self._now_s = now_s
        self._grace_s = grace_s
        self._began_s: float | None = None
        self._strays: dict[tuple[str, str, str], str] = {}  # uids of what bears our label in no namespace of ours
        self._since_s: dict[_Item, float] = {}

    def note(self, gvr: Gvr, obj: JsonObject, *, is_known: bool) -> None:
        """Take note of an object with our label: one that stands for something upstream, or a stray."""
        metadata = obj["metadata"]
        place = (_said(gvr.group, gvr.resource), metadata.get("namespace", ""), metadata["name"])
        if is_known or _is_its_owners(metadata):
            self._strays.pop(place, None)
        elif len(self._strays) < _MOST_STRAYS:
            self._strays[place] = metadata["uid"]

    def forget(self, gvr: Gvr, namespace: str, name: str) -> None:
        """Take note that an object is gone."""
        self._strays.pop((_said(gvr.group, gvr.resource), namespace, name), None)

    def drop(self, gvr: Gvr) -> None:
        """Forget all of a kind that is watched no more."""
        for place in [place for place in self._strays if place[0] == _said(gvr.group, gvr.resource)]:
            del self._strays[place]

    def summary(self) -> JsonObject | None:
        """
        Return the ``leftovers`` of a heartbeat: how many objects, of which kinds where (at most 20), five examples.

        To be asked only once both sides were read completely; None while that was lately, so that an agent which starts
        does not take back what was said before.
        """
        now_s = self._now_s()
        self._began_s = now_s if self._began_s is None else self._began_s
        self._since_s = {item: self._since_s.get(item, now_s) for item in self._unexplained()}
        if now_s - self._began_s < self._grace_s:
            return None
        found = sorted(item for item, since_s in self._since_s.items() if now_s - since_s >= self._grace_s)
        counts = Counter((resource, namespace) for resource, namespace, _, _ in found)
        kinds = [
            {"resource": resource, "namespace": namespace, "count": count}
            for (resource, namespace), count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        ]
        return {"count": len(found), "kinds": kinds[:_KINDS], "examples": [_text(item) for item in found[:_EXAMPLES]]}

    def _unexplained(self) -> Iterator[_Item]:
        state = self._state
        for name, (cluster, namespace) in state.homes.items():
            if Key("", "namespaces", cluster, "", namespace) not in state.views:
                yield "namespaces", "", name, ""
        for key, obj in state.actual.items():
            metadata = obj["metadata"]
            if key not in state.views and not _is_its_owners(metadata) and not self._is_agents(key, obj):
                yield _said(key.group, key.resource), metadata["namespace"], metadata["name"], metadata["uid"]
        for (resource, namespace, name), uid in self._strays.items():
            if (namespace or name) not in state.homes:
                yield resource, namespace, name, uid

    def _is_agents(self, key: Key, obj: JsonObject) -> bool:
        """Tell whether we keep an object for ourselves in a namespace, with which it goes: a token, a rule."""
        if (key.group, key.resource) == ("", "secrets") and is_token_secret(key.name):
            return True
        place = f"{obj['metadata']['namespace']}/{key.resource}"
        return is_proved(obj, self._state.target.namespace_proof(place))


def _is_its_owners(metadata: JsonObject) -> bool:
    """Tell whether an object is another's, whose labels it may have, and comes and goes with it."""
    return any(owner.get("controller") for owner in metadata.get("ownerReferences") or ())


def _said(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def _text(item: _Item) -> str:
    resource, namespace, name, _ = item
    return f"{resource} {namespace}/{name}"[:_LONGEST] if namespace else f"{resource} {name}"[:_LONGEST]
