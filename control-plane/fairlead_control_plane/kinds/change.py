"""
What a write is about to do, and what else must happen in the same transaction.

The registry tells every effect of each change before it commits; what they return is written under the same
revision or not at all. That is how view rows, owner indexes and a workspace's first objects come to be without a
moment in which one exists without the other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.request import User
from fairlead_control_plane.kinds.record import Resource
from fairlead_control_plane.store.contract import Compare, Operation


@dataclass(frozen=True, slots=True)
class Change:
    """
    One object about to be created (``old`` None), changed, or finally removed (``new`` None).

    Both objects are complete (uid, generation, timestamps set) except that ``new`` has no valid resourceVersion
    yet; neither may be changed. Setting ``deletionTimestamp`` is a change, not a removal. ``is_one_of_many`` tells that
    nobody named this object: a whole collection was deleted.
    """

    resource: Resource
    cluster: str
    namespace: str
    name: str
    old: JsonObject | None
    new: JsonObject | None
    user: User
    is_one_of_many: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """
    Operations and compares to add to the transaction; a failed compare makes the registry read again and retry.

    Attributes:
        new: Stored and answered in place of ``Change.new``, and shown to the effects after this one; None leaves it.
            For what only the server sets and what must be true at once (``status`` included): a workspace's URL and
            phase, a binding's bound resources, an export's identity. Never identity fields (name, uid, generation).
    """

    operations: Sequence[Operation] = ()
    compares: Sequence[Compare] = ()
    new: JsonObject | None = None


Effects = Callable[[Change], Awaitable[Effect]]
"""May raise an ``ApiError`` to refuse the write. Must be repeatable: it is called again on each retry."""
