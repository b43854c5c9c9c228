"""What ``kubectl explain`` says of the fields that every object has, in our own words."""

from __future__ import annotations

from typing import Any

from fairlead_api import JsonObject
from fairlead_control_plane.kinds import facts

TYPE_FIELDS = {
    "apiVersion": "APIVersion defines the group and the version of the schema in which this object is written.",
    "kind": "Kind names the type of this object, in CamelCase.",
}
METADATA = "Standard object's metadata: name, namespace, labels, annotations, owners and versions."
LIST_METADATA = "Standard list metadata: the version of the whole, and how to read on."

_TEXTS: dict[str, dict[str, str]] = {
    f"{facts.META}.ObjectMeta": {
        "annotations": "Annotations are texts by key that tools keep with an object; nothing can be selected by them.",
        "creationTimestamp": "CreationTimestamp is a timestamp of the moment at which the server made this object.",
        "deletionGracePeriodSeconds": "How many seconds the object has to end by itself once it is being deleted.",
        "deletionTimestamp": "DeletionTimestamp is when the object may be gone at the earliest; finalizers come first.",
        "finalizers": "Who still has something to do before the object is removed; each takes itself out.",
        "generateName": "A prefix to which the server adds random characters when no name is given.",
        "generation": "Counts the changes of what is wanted; a status that names it has taken them into account.",
        "labels": "Labels are texts by key by which objects are selected.",
        "managedFields": "Which manager wrote which field; kept by the server for server-side apply.",
        "name": "Name is unique among the objects of a kind in their namespace, and never changes.",
        "namespace": "Namespace holds the object; kinds of the whole cluster have none.",
        "ownerReferences": "Objects this one depends on; when all of them are gone it is removed too.",
        "resourceVersion": "An opaque text that differs after each change; for updates and watches.",
        "selfLink": "Not filled in any more.",
        "uid": "UID tells this object from all others in time and space; set by the server.",
    },
    f"{facts.META}.ListMeta": {
        "continue": "Given when there is more: hand it back to get the next part of the same list.",
        "remainingItemCount": "How many objects follow this part, where the server knows.",
        "resourceVersion": "The version at which the list was read; a watch can go on from it.",
        "selfLink": "Not filled in any more.",
    },
}


def described(name: str, definition: JsonObject) -> JsonObject:
    """Return a definition with what there is to say of its fields; the one given is left as it is."""
    properties = definition.get("properties")
    texts = {**_common(properties or {}), **_TEXTS.get(name, {})}
    if not properties or not texts:
        return definition
    told = {
        field: {**schema, "description": texts[field]} if field in texts else schema
        for field, schema in properties.items()
    }
    return {**definition, "properties": told}


def _common(properties: dict[str, Any]) -> dict[str, str]:
    """Return texts for the fields that make an object or a list of its definition."""
    if not {"apiVersion", "kind", "metadata"} <= properties.keys():
        return {}
    is_list = str(properties["metadata"].get("$ref", "")).endswith(".ListMeta")
    return {**TYPE_FIELDS, "metadata": LIST_METADATA if is_list else METADATA}
