"""
Labels, annotations and finalizers that belong to the system: only it may set, change or remove them.

A key is judged by its domain, the part before the slash; a key without one is nobody's. A client that sends back what
is stored passes, so read-change-write works for everybody.

Source: kcp's ReservedMetadata admission, by its intent: kcp's own test looks at the end of the whole key and thus
protects next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.refusing import forbidden

_DOMAINS = frozenset(
    {"state.workload.kcp.io", "finalizers.workload.kcp.io", "authorization.kcp.io", "internal.fairlead.io"}
)
_KEYS = frozenset({"kcp.io/cluster", "kcp.io/path", "core.kcp.io/shard"})
_FINALIZER_PREFIXES = ("workload.kcp.io/syncer-",)
_SYSTEM_USERS = ("system:fairlead",)


def is_reserved(key: str) -> bool:
    """Tell whether a label's or annotation's key is the system's."""
    if key in _KEYS:
        return True
    domain, slash, _ = key.partition("/")
    if not slash:
        return False
    return domain in _DOMAINS or (domain.endswith(".kcp.io") and "internal" in domain.split("."))


def is_reserved_finalizer(finalizer: str) -> bool:
    """Tell whether a finalizer is the system's."""
    return finalizer.startswith(_FINALIZER_PREFIXES) or is_reserved(finalizer)


def is_system(user: User) -> bool:
    """Tell whether a user acts for the system."""
    return user.is_master or user.name in _SYSTEM_USERS


class ReservedMetadata:
    """
    Refuses writes that touch the system's metadata.

    Must be the first plugin: what the others add on the caller's behalf is the system's doing, not the caller's.
    """

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""

    async def admit(self, attributes: Attributes) -> None:
        """Compare what the client sent with what is stored; nothing is changed."""
        if attributes.obj is None or is_system(attributes.user):
            return
        new = attributes.obj["metadata"]
        old: JsonObject = attributes.old["metadata"] if attributes.old is not None else {}
        for field in ("labels", "annotations"):
            for key in _changed(new.get(field) or {}, old.get(field) or {}):
                if _is_ours(key, new.get(field) or {}, attributes):
                    continue
                raise forbidden(attributes, f'modification of reserved {field[:-1]}: "{key}"')
        before, after = set(old.get("finalizers") or ()), set(new.get("finalizers") or ())
        for finalizer in sorted(before ^ after):
            if is_reserved_finalizer(finalizer):
                raise forbidden(attributes, f'modification of reserved finalizer: "{finalizer}"')


def _changed(new: Mapping[str, str], old: Mapping[str, str]) -> Iterable[str]:
    return sorted(key for key in new.keys() | old.keys() if new.get(key) != old.get(key) and is_reserved(key))


def _is_ours(key: str, values: Mapping[str, str], attributes: Attributes) -> bool:
    """The server itself notes the logical cluster on every object, before admission sees it."""
    return key == "kcp.io/cluster" and values.get(key) == attributes.cluster
