"""
Who manages which fields: ``metadata.managedFields`` on every write.

Done before admission, so that what plugins and the server add belongs to nobody, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead_api import JsonObject
from fairlead_control_plane.registry.call import Parts, Target
from fairlead_control_plane.registry.options import WriteOptions
from fairlead_schema import apply
from fairlead_schema.fieldset import EMPTY, FieldSet

_STATUS = FieldSet.of(("status",))
_SPEC = FieldSet.of(("spec",))
_BUT_STATUS = FieldSet.of(("spec",), ("metadata",))
LABELS_KEPT = "deployments.apps"
"""The kind whose labels do not change through its status."""
_SPEC_AND_LABELS = FieldSet.of(("spec",), ("metadata", "labels"))

Manage = Callable[[JsonObject, JsonObject | None], None]
"""Sets ``managedFields`` of the new object (changed in place), given the old one."""


def by(parts: Parts, target: Target, options: WriteOptions) -> Manage:
    """Return what notes the fields a create, update or patch changed as its manager's."""

    def manage(new: JsonObject, old: JsonObject | None) -> None:
        noted = apply.update(
            old,
            new,
            schema=target.version.schema(),
            api_version=target.api_version,
            manager=options.manager,
            subresource=target.subresource,
            now="" if target.subresource == "scale" else parts.timestamp(),  # as Kubernetes, which notes none
            reset_fields=reset_fields(target),
        )
        new["metadata"] = noted["metadata"]

    return manage


def reset_fields(target: Target) -> FieldSet:
    """Return the fields that a write to this endpoint cannot change, so that its manager does not own them."""
    if target.subresource == "finalize":
        return _STATUS
    if target.subresource == "status":
        if target.resource.name == LABELS_KEPT:
            return _SPEC_AND_LABELS
        return _BUT_STATUS if target.version.open_api else _SPEC
    return _STATUS if "status" in target.version.subresources else EMPTY


def already(new: JsonObject, old: JsonObject | None) -> None:
    """Leave what server-side apply has worked out."""
    del new, old
