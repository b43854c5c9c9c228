"""
The schema of ``metadata``, for kinds whose own schema cannot declare it.

A CRD says nothing of ObjectMeta; pruning, decoding and merging of custom resources use this one.
Source: k8s.io/apimachinery/pkg/apis/meta/v1 (ObjectMeta, OwnerReference, ManagedFieldsEntry).
"""

from __future__ import annotations

from fairlead_api import JsonObject

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_TEXT: JsonObject = {"type": "string"}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_TEXTS: JsonObject = {"type": "object", "additionalProperties": _TEXT}

OBJECT_META: dict[str, JsonObject] = {
    f"{_META}.ObjectMeta": {
        "type": "object",
        "properties": {
            "annotations": _TEXTS,
            "creationTimestamp": _TIME,
            "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
            "deletionTimestamp": _TIME,
            "finalizers": {
                "type": "array",
                "items": _TEXT,
                "x-kubernetes-list-type": "set",
                "x-kubernetes-patch-strategy": "merge",
            },
            "generateName": _TEXT,
            "generation": {"type": "integer", "format": "int64"},
            "labels": _TEXTS,
            "managedFields": {
                "type": "array",
                "items": {"$ref": f"#/components/schemas/{_META}.ManagedFieldsEntry"},
                "x-kubernetes-list-type": "atomic",
            },
            "name": _TEXT,
            "namespace": _TEXT,
            "ownerReferences": {
                "type": "array",
                "items": {"$ref": f"#/components/schemas/{_META}.OwnerReference"},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "uid",
            },
            "resourceVersion": _TEXT,
            "selfLink": _TEXT,
            "uid": _TEXT,
        },
    },
    f"{_META}.OwnerReference": {
        "type": "object",
        "required": ["apiVersion", "kind", "name", "uid"],
        "properties": {
            "apiVersion": _TEXT,
            "blockOwnerDeletion": {"type": "boolean"},
            "controller": {"type": "boolean"},
            "kind": _TEXT,
            "name": _TEXT,
            "uid": {**_TEXT, "default": ""},
        },
        "x-kubernetes-map-type": "atomic",
    },
    f"{_META}.ManagedFieldsEntry": {
        "type": "object",
        "properties": {
            "apiVersion": _TEXT,
            "fieldsType": _TEXT,
            "fieldsV1": {"type": "object"},
            "manager": _TEXT,
            "operation": _TEXT,
            "subresource": _TEXT,
            "time": _TIME,
        },
    },
}
"""Definitions by name; values match built-in documents."""
