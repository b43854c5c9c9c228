"""
Networks, and addresses that something is sent to, in fields of objects.

Source: k8s.io/apimachinery/pkg/util/validation/ip.go (IsValidCIDRForLegacyField, IsValidCIDR, IsValidIP,
GetWarningsForCIDR), strict as since 1.36; k8s.io/kubernetes/pkg/apis/core/validation (ValidateEndpointIP).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.strategies.ip_fields import check_ip, sloppy_ip

_NO_NETWORK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_DIGITS = re.compile("[0-9]+")
_V4_LINK_MULTICAST = ipaddress.IPv4Network("224.0.0.0/24")
_V6_LINK_MULTICAST = ipaddress.IPv6Network("ff02::/16")
_MAPPED_BITS = 96
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Network:
    """An address, the length of its prefix, and whether both were written without needless zeros."""

    address: _Address
    length: int
    is_plain: bool

    @property
    def mapped(self) -> ipaddress.IPv4Address | None:
        """Return the IPv4 address that is written as an IPv6 one."""
        return self.address.ipv4_mapped if isinstance(self.address, ipaddress.IPv6Address) else None

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """Return the network with no bits beyond its prefix."""
        if self.mapped is not None and self.length >= _MAPPED_BITS:
            return ipaddress.IPv4Network((self.mapped, self.length - _MAPPED_BITS), strict=False)
        if isinstance(self.address, ipaddress.IPv4Address):
            return ipaddress.IPv4Network((self.address, self.length), strict=False)
        return ipaddress.IPv6Network((self.address, self.length), strict=False)

    @property
    def is_exact(self) -> bool:
        """Tell whether no bit beyond the prefix is set."""
        return (self.mapped or self.address) == self.network.network_address


def sloppy_cidr(text: str) -> Network | None:
    """Read a network as Go once did, with leading zeros; None when it is none."""
    written, slash, size = text.partition("/")
    address = sloppy_ip(written)
    if not slash or address is None or not _DIGITS.fullmatch(size) or int(size) > address.max_prefixlen:
        return None
    is_plain = size == str(int(size)) and not (address.version == 4 and str(address) != written)
    return Network(address, int(size), is_plain)


def check_cidr(text: str, path: str, known: Sequence[str] = ()) -> list[Cause]:
    """Return what is wrong with a network; one of ``known``, those that were there before, may stay as it is."""
    if text in known:
        return []
    found = sloppy_cidr(text)
    if found is None:
        return [wrong.invalid(path, text, _NO_NETWORK)]
    if not found.is_plain:
        return [wrong.invalid(path, text, "must not have leading 0s in IP or prefix length")]
    if found.mapped is not None:
        return [wrong.invalid(path, text, "must not have an IPv4-mapped IPv6 address")]
    return [] if found.is_exact else [wrong.invalid(path, text, "must not have bits set beyond the prefix length")]


def check_canonical_cidr(text: str, path: str) -> list[Cause]:
    """Return what is wrong with a network that has to be written in its one standard form."""
    causes, found = check_cidr(text, path), sloppy_cidr(text)
    if not causes and found is not None and str(found.network) != text:
        causes.append(wrong.invalid(path, text, f"must be in canonical form ({wrong.quoted(str(found.network))})"))
    return causes


def check_canonical_ip(text: str, path: str) -> list[Cause]:
    """Return what is wrong with an address that has to be written in its one standard form."""
    causes, found = check_ip(text, path), sloppy_ip(text)
    if not causes and str(found) != text:
        causes.append(wrong.invalid(path, text, f"must be in canonical form ({wrong.quoted(str(found))})"))
    return causes


def check_endpoint_ip(text: str, path: str) -> list[Cause]:
    """Return why nothing should be sent to an address."""
    found = sloppy_ip(text)
    if found is None:
        return [wrong.invalid(path, text, "must be a valid IP address")]
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    details = []
    if found.is_unspecified:
        details.append(f"may not be unspecified ({text})")
    if found.is_loopback:
        details.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if found.is_link_local:
        details.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if found in (_V4_LINK_MULTICAST if found.version == 4 else _V6_LINK_MULTICAST):
        details.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return [wrong.invalid(path, text, detail) for detail in details]


def cidr_warnings(text: str, path: str) -> list[str]:
    """Warn of a network that was taken and is not in its standard form."""
    found = sloppy_cidr(text)
    if found is None:
        return []
    value, network = wrong.quoted(text), wrong.quoted(str(found.network))
    warnings = []
    if not found.is_exact:
        single = wrong.quoted(f"{found.mapped or found.address}/{found.address.max_prefixlen}")
        warnings.append(f"{path}: CIDR value {value} is ambiguous in this context (should be {network} or {single}?)")
    if not found.is_plain or found.mapped is not None:
        warnings.append(f"{path}: non-standard CIDR value {value} is invalid: use {network}")
    canonical = f"{found.address}/{found.length}"
    if not warnings and found.address.version == 6 and canonical != text:
        form = wrong.quoted(canonical)
        warnings.append(f"{path}: IPv6 CIDR value {value} should be in RFC 5952 canonical format ({form})")
    return warnings
