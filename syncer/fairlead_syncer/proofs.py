"""
Whether a mark on an object proves that this agent made it: only the agent can have come by the text, but anybody can
copy it, so that it counts only where the server says that it was the agent who wrote it there.

What a kube-apiserver notes in ``managedFields`` is not for who creates an object to say: it owns every field then,
whatever the body claims. Two things are: under which name it writes, and, by a later write, all of ``managedFields``.
Backup tools do the latter, with the times of the backup; a proof older than its object is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fairlead_api import JsonObject

PROOF = "internal.workload.kcp.io/proof"
OWN_MANAGER = "syncer"
"""The field manager that all our writes name."""
OWN_MANAGERS = frozenset({OWN_MANAGER, "fairlead-syncer"})
"""Field managers that we are, or were in a version before for what names none: its User-Agent."""
_CREATION = timedelta(seconds=60)
"""The server notes who writes before it asks webhooks, and the time of birth after; a request lasts as long at most."""


def is_proved(obj: JsonObject, proof: str) -> bool:
    """Tell whether an object of the cluster bears a proof, and we wrote it there when the object was made or later."""
    metadata = obj["metadata"]
    if not proof or (metadata.get("annotations") or {}).get(PROOF) != proof:
        return False
    made = metadata.get("creationTimestamp")
    return any(_is_ours(entry) and not _is_before(entry, made) for entry in metadata.get("managedFields") or ())


def fields_of(entry: JsonObject) -> Mapping[str, Any]:
    """Return the fields that an entry of ``managedFields`` speaks of, also where they are kept as text."""
    fields = entry.get("fieldsV1") or {}
    found: Mapping[str, Any] = json.loads(fields) if isinstance(fields, bytes) else fields
    return found


def _is_ours(entry: JsonObject) -> bool:
    if entry.get("manager") not in OWN_MANAGERS or entry.get("subresource"):
        return False
    return f"f:{PROOF}" in fields_of(entry).get("f:metadata", {}).get("f:annotations", {})


def _is_before(entry: JsonObject, made: str | None) -> bool:
    """Tell whether an entry was written before its object was made: it is of another, and was copied with it."""
    time = entry.get("time")
    if not time or not made:
        return False
    return datetime.fromisoformat(time) + _CREATION < datetime.fromisoformat(made)
