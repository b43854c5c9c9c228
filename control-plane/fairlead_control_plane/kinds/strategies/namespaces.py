"""
Namespaces and ServiceAccounts.

Source: k8s.io/kubernetes/pkg/registry/core/{namespace,serviceaccount}/strategy.go, pkg/apis/core/v1/defaults.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Strategy, Subresource, Writer
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.metadata import STANDARD_FINALIZERS, validate_finalizer

NAME_LABEL = "kubernetes.io/metadata.name"
_FINALIZER = "kubernetes"
_GENERATED = 5
_ENFORCE = "kubernetes.io/enforce-mountable-secrets"


def _label_name(obj: JsonObject) -> None:
    """Keep the label that lets selectors pick a namespace by name; the server's, whatever was sent."""
    metadata = obj["metadata"]
    if metadata.get("name"):
        metadata.setdefault("labels", {})[NAME_LABEL] = metadata["name"]


def _is_generated(metadata: JsonObject) -> bool:
    """Tell whether the server has made the name: from a prefix, by letters at its end."""
    name, prefix = metadata.get("name") or "", metadata.get("generateName") or ""
    return bool(prefix) and len(name) == len(prefix) + _GENERATED and name.startswith(prefix)


def _prepare_create(obj: JsonObject) -> None:
    normalise(obj)
    if not _is_generated(obj["metadata"]):
        _label_name(obj)
    obj["status"] = {"phase": "Active"}


def _prepare_update(new: JsonObject, old: JsonObject) -> None:
    del old
    normalise(new)
    _label_name(new)


def _settle(new: JsonObject, old: JsonObject | None) -> None:
    """Give a new namespace the server's finalizer; later only /finalize changes them, whatever somebody notes."""
    _label_name(new)
    if old is not None:
        new["spec"] = old.get("spec", {})
        return
    finalizers = list((new.get("spec") or {}).get("finalizers") or ())
    new["spec"] = {"finalizers": finalizers if _FINALIZER in finalizers else [*finalizers, _FINALIZER]}


def _validate(obj: JsonObject) -> list[Cause]:
    return [cause for name in _finalizers(obj) for cause in _check_finalizer(name, "spec.finalizers")]


def _finalizers(obj: JsonObject) -> Sequence[str]:
    return (obj.get("spec") or {}).get("finalizers") or ()


def _check_finalizer(name: str, path: str) -> list[Cause]:
    causes = validate_finalizer(name, path)
    if "/" not in name and name not in STANDARD_FINALIZERS:
        causes.append(wrong.invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified"))
    return causes


def _check_finalizers(new: JsonObject, old: JsonObject) -> list[Cause]:
    del old
    listed = enumerate(_finalizers(new))
    return [cause for i, name in listed for cause in _check_finalizer(name, f"spec.finalizers[{i}]")]


def _prepare_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    del old, writer
    _label_name(new)
    status = new.setdefault("status", {})
    if isinstance(status, dict) and not status.get("phase"):
        status["phase"] = "Active"


def _check_status(new: JsonObject, old: JsonObject) -> list[Cause]:
    del old
    phase = (new.get("status") or {}).get("phase") or ""
    is_leaving = bool(new["metadata"].get("deletionTimestamp"))
    wanted, when = ("Terminating", "not empty") if is_leaving else ("Active", "empty")
    if phase == wanted:
        return []
    return [wrong.invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` is {when}")]


def _prepare_account(obj: JsonObject) -> None:
    normalise(obj)


def _settle_account(new: JsonObject, old: JsonObject | None) -> None:
    """Keep no more than the names of secrets."""
    del old
    if new.get("secrets"):
        new["secrets"] = [{"name": one["name"]} if one.get("name") else {} for one in new["secrets"]]


def _warn_of_account(new: JsonObject, old: JsonObject | None) -> list[str]:
    had = old is not None and _ENFORCE in (old["metadata"].get("annotations") or {})
    if had or _ENFORCE not in (new["metadata"].get("annotations") or {}):
        return []
    text = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
    return [f"metadata.annotations[{_ENFORCE}]: {text}"]


NAMESPACE = Strategy(
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    settle=_settle,
    validate=_validate,
    validate_name=validation.namespace_name,
    subresources={
        "status": Subresource(prepare=_prepare_status, validate=_check_status),
        "finalize": Subresource(validate=_check_finalizers),
    },
)
SERVICE_ACCOUNT = Strategy(
    prepare_create=_prepare_account,
    prepare_update=lambda new, old: _prepare_account(new),
    settle=_settle_account,
    warn=_warn_of_account,
)
