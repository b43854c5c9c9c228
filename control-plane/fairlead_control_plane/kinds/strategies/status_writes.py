"""
Status that is written without anything else: metadata stay as they were, but for who manages what.

Source: k8s.io/apimachinery pkg/apis/meta/v1/helpers.go (ResetObjectMetaForStatus).
"""

from __future__ import annotations

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.record import Writer
from fairlead_schema.fieldset import FieldSet

BUT_STATUS = FieldSet.of(("spec",), ("metadata",))
"""What writers of such a status do not own."""
_KEPT = ("deletionTimestamp", "generation", "labels", "annotations", "finalizers", "ownerReferences")


def keep_metadata(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Put back what a write of the status may not change."""
    del writer
    for key in _KEPT:
        if key in old["metadata"]:
            new["metadata"][key] = old["metadata"][key]
        else:
            new["metadata"].pop(key, None)
