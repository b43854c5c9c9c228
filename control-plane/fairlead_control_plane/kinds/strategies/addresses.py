"""
IPAddress objects, each named after the address it stands for, and ServiceCIDRs, the networks they are from.

Source: k8s.io/kubernetes pkg/apis/networking/validation (ValidateIPAddress, ValidateServiceCIDR).
"""

from __future__ import annotations

from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.cidr_fields import check_canonical_cidr, check_canonical_ip, sloppy_cidr
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import IMMUTABLE

_GROUP = "networking.k8s.io"
_CIDRS = "spec.cidrs"
_REFERENCE_FIELDS = ("group", "resource", "namespace", "name")


def address_name(name: str) -> list[str]:
    """Return why a name is no address in canonical form."""
    shown = f"Invalid value: {wrong.quoted(name)}: "
    return [cause.message.removeprefix(shown) for cause in check_canonical_ip(name, "")]


def _validate(obj: JsonObject) -> list[Cause]:
    reference, path = (obj.get("spec") or {}).get("parentRef"), "spec.parentRef"
    if reference is None:
        return [wrong.required(path)]
    group, namespace = reference.get("group") or "", reference.get("namespace") or ""
    causes: list[Cause] = []
    if group:
        causes += [wrong.invalid(f"{path}.group", group, text) for text in validation.dns1123_subdomain(group)]
    for field in ("resource", "name"):
        value, at = reference.get(field) or "", f"{path}.{field}"
        causes += [] if value else [wrong.required(at)]
        causes += [wrong.invalid(at, value, text) for text in validation.path_segment_name(value)]
    texts = validation.path_segment_name(namespace)
    return causes + [wrong.invalid(f"{path}.namespace", namespace, text) for text in texts]


def _validate_update(new: JsonObject, old: JsonObject) -> list[Cause]:
    reference, before = ((one.get("spec") or {}).get("parentRef") for one in (new, old))
    if reference == before:
        return []
    # Kubernetes shows its internal struct here, not the user's object.
    path = "spec.parentRef"
    if reference is None:
        return [wrong.invalid(path, None, IMMUTABLE)]
    parts = (f'"{field.title()}":{wrong.shown(reference.get(field) or "")}' for field in _REFERENCE_FIELDS)
    return [Cause("FieldValueInvalid", f"Invalid value: {{{','.join(parts)}}}: {IMMUTABLE}", path)]


def _validate_cidrs(obj: JsonObject) -> list[Cause]:
    cidrs = (obj.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        return [wrong.required(_CIDRS, "at least one CIDR required")]
    if len(cidrs) > 2:
        return [wrong.invalid(_CIDRS, {"CIDRs": cidrs}, "may only hold up to 2 values")]
    causes = [cause for i, text in enumerate(cidrs) for cause in check_canonical_cidr(text or "", f"{_CIDRS}[{i}]")]
    networks = [sloppy_cidr(text or "") for text in cidrs]
    families = {one.network.version for one in networks if one is not None}
    if len(networks) == 2 and None not in networks and len(families) == 1:
        text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        causes.append(wrong.invalid(_CIDRS, cidrs, text))
    return causes


def _change_cidrs(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Let a second network be added, and nothing else change."""
    cidrs, before = ((one.get("spec") or {}).get("cidrs") or [] for one in (new, old))
    pairs = list(enumerate(zip(cidrs, before, strict=False)))
    changed = [wrong.invalid(f"{_CIDRS}[{i}]", one, IMMUTABLE) for i, (one, other) in pairs if one != other]
    if len(cidrs) == len(before):
        return changed
    if (len(before), len(cidrs)) == (1, 2):
        return changed + _validate_cidrs(new)
    return [wrong.invalid(_CIDRS, cidrs or None, IMMUTABLE)]


IP_ADDRESS = replace(
    generic_strategy(_GROUP, "ipaddresses", has_status=False),
    validate=_validate,
    validate_update=_validate_update,
    validate_name=address_name,
)
SERVICE_CIDR = replace(
    generic_strategy(_GROUP, "servicecidrs", has_status=True), validate=_validate_cidrs, validate_change=_change_cidrs
)
