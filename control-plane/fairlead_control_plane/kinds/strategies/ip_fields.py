"""
IP addresses in fields that once took more than the standard forms.

Source: k8s.io/apimachinery/pkg/util/validation/ip.go (IsValidIPForLegacyField, GetWarningsForIP), strict as since 1.36.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause

NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_ZEROS = re.compile(r"(^|\.)0+(?=[0-9])")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def sloppy_ip(text: str) -> _Address | None:
    """Read an address as Go once did, with leading zeros; None when it is none."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(_ZEROS.sub(r"\1", text))
    except ValueError:
        return None


def check_ip(text: str, path: str, known: Sequence[str] = ()) -> list[Cause]:
    """Return what is wrong with an address; one of ``known``, those that were there before, may stay as it is."""
    if text in known:
        return []
    found = sloppy_ip(text)
    if found is None:
        return [wrong.invalid(path, text, NO_ADDRESS)]
    if isinstance(found, ipaddress.IPv6Address):
        mapped = "must not be an IPv4-mapped IPv6 address"
        return [wrong.invalid(path, text, mapped)] if found.ipv4_mapped else []
    return [wrong.invalid(path, text, "must not have leading 0s")] if str(found) != text else []


def ip_warnings(text: str, path: str) -> list[str]:
    """Warn of an address that is valid and not in its standard form."""
    found = sloppy_ip(text)
    if found is None:
        return []
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    if mapped or (found.version == 4 and str(found) != text):
        shown = wrong.quoted(str(mapped or found))
        return [f"{path}: non-standard IP address {wrong.quoted(text)} is invalid: use {shown}"]
    if str(found) != text:
        canonical = wrong.quoted(str(found))
        return [f"{path}: IPv6 address {wrong.quoted(text)} should be in RFC 5952 canonical format ({canonical})"]
    return []


def check_ip_list(items: Iterable[JsonObject], path: str, known: Sequence[str]) -> list[Cause]:
    """Check a list of ``{"ip": ...}`` of which there may be one of each family."""
    listed = [item.get("ip") or "" for item in items]
    causes = [cause for i, text in enumerate(listed) for cause in check_ip(text, f"{path}[{i}]", known)]
    if len(listed) < 2:
        return causes
    addresses = [sloppy_ip(text) for text in listed]
    for index, (text, address) in enumerate(zip(listed, addresses, strict=True)):
        if address is None:
            detail = f"failed to check for dual stack with error:invalid IP[{index}]: {text}"
            causes.append(Cause("InternalError", f"Internal error: {detail}", path))
            break
    families = {address.version for address in addresses if address is not None}
    if len(families) < 2 or len(listed) > 2 or None in addresses:
        causes.append(
            wrong.invalid(path, [{"IP": text} for text in listed], "may specify no more than one IP for each IP family")
        )
    return causes
