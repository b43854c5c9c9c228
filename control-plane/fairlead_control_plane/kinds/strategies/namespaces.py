"""
Namespaces and ServiceAccounts.

Source: k8s.io/kubernetes/pkg/registry/core/{namespace,serviceaccount}/strategy.go, pkg/apis/core/v1/defaults.go.
"""

from __future__ import annotations

from fairlead_api import JsonObject, validation
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import validate_finalizer

NAME_LABEL = "kubernetes.io/metadata.name"
_FINALIZER = "kubernetes"


def _label_name(obj: JsonObject) -> None:
    """Keep the label that lets selectors pick a namespace by name; the server's, whatever was sent."""
    metadata = obj["metadata"]
    if metadata.get("name"):
        metadata.setdefault("labels", {})[NAME_LABEL] = metadata["name"]


def _prepare_create(obj: JsonObject) -> None:
    normalise(obj)
    _label_name(obj)
    obj["status"] = {"phase": "Active"}


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    normalise(new)
    _label_name(new)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Give a new namespace the server's finalizer; later only /finalize changes them, whatever somebody notes."""
    if old is not None:
        new["spec"] = old.get("spec", {})
        return
    finalizers = list((new.get("spec") or {}).get("finalizers") or ())
    new["spec"] = {"finalizers": finalizers if _FINALIZER in finalizers else [*finalizers, _FINALIZER]}


def _validate(obj: JsonObject) -> list[Cause]:
    finalizers = (obj.get("spec") or {}).get("finalizers") or ()
    return [cause for name in finalizers for cause in validate_finalizer(name, "spec.finalizers")]


def _prepare_account(obj: JsonObject) -> None:
    normalise(obj)


NAMESPACE = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    settle=_settle,
    validate=_validate,
    validate_name=validation.namespace_name,
)
SERVICE_ACCOUNT = Strategy(prepare_create=_prepare_account, prepare_update=lambda new, old: _prepare_account(new))
