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
    finalizers = list((obj.get("spec") or {}).get("finalizers") or ())
    if _FINALIZER not in finalizers:
        finalizers.append(_FINALIZER)
    obj["spec"] = {"finalizers": finalizers}
    obj["status"] = {"phase": "Active"}


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    normalise(new)
    _label_name(new)
    # Only /finalize changes these.
    new["spec"] = old.get("spec", {})


def _validate(obj: JsonObject) -> list[Cause]:
    finalizers = (obj.get("spec") or {}).get("finalizers") or ()
    return [cause for name in finalizers for cause in validate_finalizer(name, "spec.finalizers")]


def _prepare_account(obj: JsonObject) -> None:
    normalise(obj)


NAMESPACE = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    validate=_validate,
    validate_name=validation.namespace_name,
)
SERVICE_ACCOUNT = Strategy(prepare_create=_prepare_account, prepare_update=lambda new, old: _prepare_account(new))
