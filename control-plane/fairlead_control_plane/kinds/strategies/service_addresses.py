"""
Addresses and address families of a Service: what they have to be, and how they may change.

Source: k8s.io/kubernetes pkg/apis/core/validation (ValidateServiceClusterIPsRelatedFields,
validateUpgradeDowngradeClusterIPs, validateUpgradeDowngradeIPFamilies),
pkg/registry/core/service/storage/alloc.go (initIPFamilyFields).
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip

FIXED = "may not change once set"
_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_ADDRESSES, _FAMILY_LIST, _POLICY = "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"
_NO_DUAL_STACK = "this cluster is not configured for dual-stack services"
_KEPT = ("type", "ipFamilyPolicy", "clusterIPs", "ipFamilies")
_NEEDS_DUAL = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
_NEEDS_SINGLE = "must be 'SingleStack' to release the secondary {}"


def is_headless(spec: JsonObject) -> bool:
    """Tell whether a Service is only a name, without an address of its own."""
    return (spec.get("clusterIPs") or []) == ["None"]


def check_addresses(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """
    Return what is wrong with addresses, families and their policy; nothing else of a Service is looked at then.

    Args:
        spec: With what the client left out and the server had given.
        before: The stored spec; ``{}`` for a create.
    """
    if spec.get("type") == "ExternalName":
        return []
    addresses = spec.get("clusterIPs") or []
    causes = _together(spec.get("clusterIP") or "", addresses) + _families(spec)
    wrong_addresses = _each_address(addresses, before.get("clusterIPs") or ())
    causes += wrong_addresses
    if len(addresses) > 2:
        causes.append(wrong.invalid(_ADDRESSES, addresses, "may only hold up to 2 values"))
    if not wrong_addresses:
        causes += _by_family(addresses, () if is_headless(spec) else spec.get("ipFamilies") or ())
    return causes or _stacks(spec, before)


def _together(address: str, addresses: Sequence[str]) -> list[Cause]:
    if address and not addresses:
        return [wrong.required(_ADDRESSES)]
    if address and addresses[0] != address:
        return [wrong.invalid(_ADDRESSES, addresses, "first value must match `clusterIP`")]
    if not address and addresses:
        return [wrong.invalid(_ADDRESSES, addresses, "must be empty when `clusterIP` is not specified")]
    return []


def _each_address(addresses: Sequence[str], known: Sequence[str]) -> list[Cause]:
    causes: list[Cause] = []
    for index, one in enumerate(addresses):
        if index or one != "None":
            causes += check_ip(one, f"{_ADDRESSES}[{index}]", known)
        elif len(addresses) > 1:
            causes.append(wrong.invalid(_ADDRESSES, addresses, "'None' must be the first and only value"))
    return causes


def _by_family(addresses: Sequence[str], families: Sequence[str]) -> list[Cause]:
    found = ["IPv6" if ":" in one else "IPv4" for one in addresses]
    causes = []
    if len(addresses) > 1 and len(set(found)) < 2:
        causes.append(wrong.invalid(_ADDRESSES, addresses, "may specify no more than one IP for each IP family"))
    return causes + [
        wrong.invalid(
            f"{_ADDRESSES}[{index}]", one, f"expected an {family} value as indicated by `ipFamilies[{index}]`"
        )
        for index, (one, family) in enumerate(zip(addresses, families, strict=False))
        if family in _FAMILIES and found[index] != family
    ]


def _families(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in _FAMILIES:
            causes.append(wrong.not_supported(f"{_FAMILY_LIST}[{index}]", family, _FAMILIES))
        if family in seen:
            causes.append(wrong.duplicate(f"{_FAMILY_LIST}[{index}]", family))
        seen.add(family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _POLICIES:
        causes.append(wrong.not_supported(_POLICY, policy, _POLICIES))
    return causes


def _stacks(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Compare how many families there are with what the policy says of it."""
    policy = spec.get("ipFamilyPolicy")
    addresses, families = spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    texts = []
    if policy == "SingleStack":
        # Those that a client left as they were are cut short, not refused.
        if len(addresses) == 2 and addresses != before.get("clusterIPs"):
            texts.append(_NEEDS_DUAL.format("cluster IPs"))
        if len(families) == 2 and families != before.get("ipFamilies"):
            texts.append(_NEEDS_DUAL.format("IP families"))
    elif policy is not None:
        if addresses and len(addresses) < len(before.get("clusterIPs") or ()):
            texts.append(_NEEDS_SINGLE.format("cluster IP"))
        if families and len(families) < len(before.get("ipFamilies") or ()):
            texts.append(_NEEDS_SINGLE.format("IP family"))
    return [wrong.invalid(_POLICY, policy, text) for text in texts]


def check_configured(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Return what a settled Service asks for of a cluster that has addresses of IPv4 alone."""
    is_nameless = spec.get("clusterIP") == "None" and not spec.get("selector")
    if spec.get("type") == "ExternalName" or is_nameless:
        return []
    if spec.get("ipFamilyPolicy") == "PreferDualStack" and all(spec.get(name) == before.get(name) for name in _KEPT):
        return []
    causes: list[Cause] = []
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        causes.append(wrong.invalid(_POLICY, "RequireDualStack", _NO_DUAL_STACK))
    return causes + [
        wrong.invalid(f"{_FAMILY_LIST}[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(spec.get("ipFamilies") or ())
        if family != "IPv4"
    ]


def check_address_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    """Return what is wrong with a change of addresses and families, which only adds or releases the second one."""
    if "ExternalName" in {spec.get("type"), before.get("type")}:
        return []
    was_headless, headless = is_headless(before), is_headless(spec)
    causes = [] if was_headless and headless else _address_change(spec, before)
    return causes if was_headless or headless else causes + _family_change(spec, before)


def _address_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    new, old = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    at_first = f"{_ADDRESSES}[0]"
    if len(new) == len(old):
        changed = [index for index, one in enumerate(old) if one != new[index]]
        return [wrong.invalid(f"{_ADDRESSES}[{index}]", new, FIXED) for index in changed]
    causes = []
    if not old:
        # Nobody has given it an address here, but each cluster that it runs in has.
        causes.append(wrong.invalid(at_first, new, FIXED))
    elif not new:
        causes.append(wrong.invalid(at_first, None, "primary clusterIP can not be unset"))
    elif new[0] != old[0]:
        causes.append(wrong.invalid(at_first, new, FIXED))
    if len(new) == 1 < len(old) and spec.get("ipFamilyPolicy") != "SingleStack":
        text = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        causes.append(wrong.invalid(_POLICY, spec.get("ipFamilyPolicy"), text))
    return causes


def _family_change(spec: JsonObject, before: JsonObject) -> list[Cause]:
    new, old = spec.get("ipFamilies") or [], before.get("ipFamilies") or []
    at_first, addresses = f"{_FAMILY_LIST}[0]", spec.get("clusterIPs")
    if len(new) == len(old):
        return [wrong.invalid(at_first, new, FIXED) for one, other in zip(old, new, strict=True) if one != other]
    causes = []
    if new and old and new[0] != old[0]:
        causes.append(wrong.invalid(at_first, addresses, FIXED))
    if len(new) == 1 < len(old) and spec.get("ipFamilyPolicy") != "SingleStack":
        text = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        causes.append(wrong.invalid(_POLICY, spec.get("ipFamilyPolicy"), text))
    return causes
