"""
IPAddress objects, each named after the address it stands for.

Source: k8s.io/kubernetes pkg/apis/networking/validation (ValidateIPAddressName), k8s.io/apimachinery
pkg/util/validation/ip.go.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, ip_address

from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.pod_spec import NO_ADDRESS


def address_name(name: str) -> list[str]:
    """Return why a name is no address in canonical form."""
    try:
        address = ip_address(name)
    except ValueError:
        return [NO_ADDRESS]
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return [NO_ADDRESS]
        if address.ipv4_mapped is not None:
            return ["must not be an IPv4-mapped IPv6 address"]
    return [] if str(address) == name else [f'must be in canonical form ("{address}")']


IP_ADDRESS = replace(generic_strategy("networking.k8s.io", "ipaddresses", has_status=False), validate_name=address_name)
