"""Cells of CertificateSigningRequests. Source: k8s.io/kubernetes pkg/printers/internalversion/printers.go."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_api import JsonObject
from fairlead_control_plane.kinds.ages import human_duration
from fairlead_control_plane.kinds.printers.workloads import NONE, Cell


def _duration(obj: JsonObject) -> str:
    seconds = obj["spec"].get("expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


def _condition(obj: JsonObject) -> str:
    status = obj.get("status") or {}
    types = {one.get("type") for one in status.get("conditions") or ()}
    said = next((one for one in ("Denied", "Approved") if one in types), "Pending")
    return said + (",Failed" if "Failed" in types else "") + (",Issued" if status.get("certificate") else "")


SIGNING_REQUEST: Mapping[str, Cell] = {
    "SignerName": lambda obj: obj["spec"].get("signerName") or NONE,
    "Requestor": lambda obj: obj["spec"].get("username") or "",
    "RequestedDuration": _duration,
    "Condition": _condition,
}
