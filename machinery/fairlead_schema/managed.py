"""
``metadata.managedFields``: who owns which fields, since when.

Source: k8s.io/apimachinery/pkg/util/managedfields/internal (managedfields.go, capmanagers.go, conflict.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject
from fairlead_api.errors import Cause, Conflict
from fairlead_schema.causes import compact, quote
from fairlead_schema.fieldset import FieldSet, path_text

MAX_UPDATERS = 10
"""Update entries kept before the oldest are put together."""

_ANCIENT = "ancient-changes"


@dataclass(frozen=True, slots=True)
class Manager:
    """
    Who wrote.

    ``api_version`` is empty for appliers, who are one whatever version they apply.
    """

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    @property
    def is_applier(self) -> bool:
        """True for server-side apply."""
        return self.operation == "Apply"

    def sort_key(self) -> str:
        """Return the text managers are sorted by in messages."""
        parts = {"manager": self.name, "operation": self.operation, "apiVersion": self.api_version}
        parts["subresource"] = self.subresource
        return "{" + ",".join(f"{quote(key)}:{compact(value)}" for key, value in parts.items() if value) + "}"

    def __str__(self) -> str:
        text = quote(self.name)
        if self.subresource:
            text = f"{text} with subresource {quote(self.subresource)}"
        return text if self.is_applier else f"{text} using {self.api_version}"


@dataclass(frozen=True, slots=True)
class Ownership:
    """
    What a manager owns.

    Attributes:
        time: RFC 3339, empty when unknown.
        entry: The entry as stored, while it still says the same: spares writing it out again.
    """

    fields: FieldSet
    api_version: str
    time: str = ""
    entry: JsonObject | None = None


Managers = dict[Manager, Ownership]


class BadEntry(ValueError):
    """An entry of managedFields that cannot be read."""


def decode(entries: Any, *, is_stored: bool = True) -> Managers:
    """
    Return the owners in ``managedFields`` (None counts as none).

    Args:
        entries: The list.
        is_stored: It was written by :func:`encode`, not sent by a client, whose spelling may differ.

    Raises:
        BadEntry: An entry is malformed.
    """
    found: Managers = {}
    for index, entry in enumerate(entries or ()):
        operation, version = entry.get("operation"), entry.get("apiVersion") or ""
        if operation not in ("Apply", "Update"):
            raise BadEntry("operation must be `Apply` or `Update`")
        if not version:
            raise BadEntry("apiVersion must not be empty")
        if not entry.get("fieldsType"):
            raise BadEntry(f"missing fieldsType in managed fields entry {index}")
        if entry["fieldsType"] != "FieldsV1":
            raise BadEntry(f'invalid fieldsType "{entry["fieldsType"]}" in managed fields entry {index}')
        manager = Manager(
            entry.get("manager") or "",
            operation,
            version if operation == "Update" else "",
            entry.get("subresource") or "",
        )
        try:
            fields = FieldSet.decode(entry.get("fieldsV1") or {})
        except (ValueError, TypeError, AttributeError) as error:
            raise BadEntry(f"error decoding set: {error}") from error
        found[manager] = Ownership(fields, version, entry.get("time") or "", entry if is_stored else None)
    return found


def encode(managers: Managers) -> list[JsonObject]:
    """Return ``managedFields``, appliers first, then by time and name."""
    ordered = sorted(
        managers.items(),
        key=lambda pair: (
            pair[0].operation, pair[1].time, pair[0].name, pair[1].api_version, pair[0].subresource,
        ),
    )  # fmt: skip
    return [owned.entry or _entry(manager, owned) for manager, owned in ordered]


def _entry(manager: Manager, owned: Ownership) -> JsonObject:
    entry: JsonObject = {"manager": manager.name} if manager.name else {}
    entry |= {"operation": manager.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": owned.fields.encode()}
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def is_reset(entries: Any) -> bool:
    """Tell whether a client asks to forget all owners: ``[]`` or ``[{}]``."""
    return isinstance(entries, list) and (not entries or entries == [{}])


def capped(managers: Managers) -> Managers:
    """Return the owners with the oldest updaters put together, per version, until no more than the maximum is left."""
    updaters = [manager for manager in managers if not manager.is_applier]
    excess = len(updaters) - MAX_UPDATERS
    if excess <= 0:
        return managers
    found = dict(managers)
    first: dict[str, Manager] = {}
    for manager in sorted(updaters, key=lambda each: (managers[each].time, each.sort_key())):
        if excess <= 0:
            break
        version = managers[manager].api_version
        if version not in first:
            first[version] = manager
            continue
        bucket = Manager(_ANCIENT, "Update", version)
        gathered = found[bucket] if bucket in found else found.pop(first[version])
        owned = found.pop(manager) if manager != bucket else gathered
        found[bucket] = Ownership(owned.fields.union(gathered.fields), version, managers[manager].time)
        excess -= 1
    return found


def conflict(fields: Mapping[Manager, FieldSet]) -> Conflict:
    """Return the answer to an apply that would take fields from ``fields``' managers."""
    pairs = [
        (manager, path_text(path))
        for manager in sorted(fields, key=Manager.sort_key)
        for path in fields[manager].paths()
    ]
    causes = [Cause("FieldManagerConflict", f"conflict with {manager}", path) for manager, path in pairs]
    if len(pairs) == 1:
        return Conflict(f"Apply failed with 1 conflict: conflict with {pairs[0][0]}: {pairs[0][1]}", causes=causes)
    lines = []
    for manager in dict.fromkeys(manager for manager, _ in pairs):
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {path}" for owner, path in pairs if owner == manager]
    return Conflict(f"Apply failed with {len(pairs)} conflicts: " + "\n".join(lines), causes=causes)
