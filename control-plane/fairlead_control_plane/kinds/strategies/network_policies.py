"""
NetworkPolicies.

Source: k8s.io/kubernetes pkg/apis/networking/{v1/defaults.go,validation/validation.go}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.shape import normalise
from fairlead_control_plane.kinds.strategies.cidr_fields import check_cidr, cidr_warnings, sloppy_cidr
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.selectors import validate_selector

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_TYPES = ("Ingress", "Egress")
_DIRECTIONS = (("ingress", "from"), ("egress", "to"))


def _prepare(obj: JsonObject) -> None:
    normalise(obj)
    spec = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _validate(obj: JsonObject) -> list[Cause]:
    return _check(obj, ())


def _validate_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Check all of it; networks that were there before may stay as they are."""
    known: list[str] = []
    for _, block in _blocks(old):
        known += [block.get("cidr") or "", *(block.get("except") or ())]
    return _check(new, known)


def _check(obj: JsonObject, known: Sequence[str]) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes = validate_selector(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, side in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                causes += _port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(side) or ()):
                causes += _peer(peer, f"{path}.{side}[{number}]", known)
    types = spec.get("policyTypes") or ()
    if len(types) > len(_TYPES):
        return [*causes, wrong.invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
    return causes + [
        wrong.not_supported(f"spec.policyTypes[{index}]", one, _TYPES)
        for index, one in enumerate(types)
        if one not in _TYPES
    ]


def _port(port: JsonObject, path: str) -> list[Cause]:
    protocol, number, last = port.get("protocol"), port.get("port"), port.get("endPort")
    causes: list[Cause] = []
    if protocol is not None and protocol not in _PROTOCOLS:
        causes.append(wrong.not_supported(f"{path}.protocol", protocol, _PROTOCOLS))
    if isinstance(number, int):
        causes += [wrong.invalid(f"{path}.port", number, text) for text in validation.port_number(number)]
        if last is not None and last < number:
            causes.append(wrong.invalid(f"{path}.endPort", number, "must be greater than or equal to `port`"))
        texts = validation.port_number(last) if last is not None else []
        return causes + [wrong.invalid(f"{path}.endPort", last, text) for text in texts]
    if last is not None:
        what = "not specified" if number is None else "non-numeric"
        causes.append(wrong.invalid(f"{path}.endPort", last, f"may not be specified when `port` is {what}"))
    texts = validation.port_name(number) if number is not None else []
    return causes + [wrong.invalid(f"{path}.port", number, text) for text in texts]


def _peer(peer: JsonObject, path: str, known: Sequence[str]) -> list[Cause]:
    block = peer.get("ipBlock")
    selectors = [field for field in ("podSelector", "namespaceSelector") if peer.get(field) is not None]
    causes = [cause for field in selectors for cause in validate_selector(peer[field], f"{path}.{field}")]
    if block is None:
        return causes if selectors else [wrong.required(path, "must specify a peer")]
    causes += _block(block, f"{path}.ipBlock", known)
    text = "may not specify both ipBlock and another peer"
    return [*causes, wrong.forbidden(path, text)] if selectors else causes


def _block(block: JsonObject, path: str, known: Sequence[str]) -> list[Cause]:
    written = block.get("cidr") or ""
    if not written:
        return [wrong.required(f"{path}.cidr")]
    causes = check_cidr(written, f"{path}.cidr", known)
    whole = sloppy_cidr(written)
    if whole is None:
        return causes
    for index, text in enumerate(block.get("except") or ()):
        at, part = f"{path}.except[{index}]", sloppy_cidr(text or "")
        causes += check_cidr(text or "", at, known)
        if part is None:
            continue
        inside = part.network.version == whole.network.version and part.network.network_address in whole.network
        if not inside or whole.length >= part.length:
            causes.append(wrong.invalid(at, text, "must be a strict subset of `cidr`"))
    return causes


def _blocks(obj: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Yield what a policy says of networks, each with its path."""
    spec = obj.get("spec") or {}
    for direction, side in _DIRECTIONS:
        for index, rule in enumerate(spec.get(direction) or ()):
            for number, peer in enumerate(rule.get(side) or ()):
                if peer.get("ipBlock") is not None:
                    yield f"spec.{direction}[{index}].{side}[{number}].ipBlock", peer["ipBlock"]


def _warn(new: JsonObject, old: JsonObject | None) -> list[str]:
    del old
    found: list[str] = []
    for path, block in _blocks(new):
        found += cidr_warnings(block.get("cidr") or "", f"{path}.cidr")
        for index, text in enumerate(block.get("except") or ()):
            found += cidr_warnings(text or "", f"{path}.except[{index}]")
    return found


NETWORK_POLICY = replace(
    generic_strategy("networking.k8s.io", "networkpolicies", has_status=False),
    prepare_create=_prepare,
    prepare_update=lambda new, old: _prepare(new),
    validate=_validate,
    validate_change=_validate_change,
    warn=_warn,
)
