"""
IP addresses: ``ip('10.0.0.1').isLoopback()`` and the like.

Source: k8s.io/apiserver/pkg/cel/library/ip.go.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead_api.field_errors import quoted
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.libraries.addresses import IP, IP_TYPE, BadAddress, parse_address
from fairlead_schema.cel.values import EvaluationError


def to_ip(text: str) -> IP:
    """Return the address, which may have no zone and not be an IPv4 one in disguise."""
    try:
        address, zone = parse_address(text)
    except BadAddress as error:
        raise EvaluationError(
            f"IP Address {quoted(text)} parse error during conversion from string: {error}"
        ) from error
    if zone:
        raise EvaluationError(f"IP address {quoted(text)} with zone value is not allowed")
    if address.is_mapped:
        raise EvaluationError(f"IPv4-mapped IPv6 address {quoted(text)} is not allowed")
    return address


def _is_ip(text: str) -> bool:
    try:
        to_ip(text)
    except EvaluationError:
        return False
    return True


def _is_canonical(text: str) -> bool:
    return str(to_ip(text)) == text


def _family(ip: IP) -> int:
    return 4 if ip.bits == _FOUR else 6


_FOUR = 32


def _either(ip: IP, four: tuple[int, int], six: tuple[int, int]) -> bool:
    """Tell whether the first bits make a number; (bits, number) for each family."""
    bits, number = four if ip.bits == _FOUR else six
    return ip.begins(bits) == number


def _is_unspecified(ip: IP) -> bool:
    return ip.number == 0


def _is_loopback(ip: IP) -> bool:
    return _either(ip, (8, 127), (128, 1))


def _is_link_local_unicast(ip: IP) -> bool:
    return _either(ip, (16, 169 << 8 | 254), (10, 0xFE80 >> 6))


def _is_link_local_multicast(ip: IP) -> bool:
    if ip.bits == _FOUR:
        return ip.begins(24) == 224 << 16
    return ip.begins(16) & 0xFF0F == 0xFF02  # the scope, whatever the flags


def _is_multicast(ip: IP) -> bool:
    return _either(ip, (4, 0xE), (8, 0xFF))


def _is_global_unicast(ip: IP) -> bool:
    broadcast = ip.bits == _FOUR and ip.begins(32) == 0xFFFFFFFF
    return not (broadcast or _is_unspecified(ip) or _is_loopback(ip) or _is_multicast(ip) or _is_link_local_unicast(ip))


_READ, _READ_ESTIMATE = costs.read(), costs.estimate_read()


def _question(name: str, key: str, call: Callable[[IP], bool | int], result: t.Type = t.BOOL) -> Function:
    return Function(name, (Overload(key, (IP_TYPE,), result, call, member=True, estimate=lambda _: _NOMINAL),))


_NOMINAL = CallEstimate(costs.ONE)

IPS = Library(
    "kubernetes.net.ip",
    (
        Function("ip", (Overload("string_to_ip", (t.STRING,), IP_TYPE, to_ip, False, _READ_ESTIMATE, _READ),)),
        _question("family", "ip_family", _family, t.INT),
        Function(
            "ip.isCanonical",
            (
                Overload(
                    "ip_is_canonical", (t.STRING,), t.BOOL, _is_canonical, False, costs.estimate_read(2), costs.read(2)
                ),
            ),
        ),
        _question("isUnspecified", "ip_is_unspecified", _is_unspecified),
        _question("isLoopback", "ip_is_loopback", _is_loopback),
        _question("isLinkLocalMulticast", "ip_is_link_local_multicast", _is_link_local_multicast),
        _question("isLinkLocalUnicast", "ip_is_link_local_unicast", _is_link_local_unicast),
        _question("isGlobalUnicast", "ip_is_global_unicast", _is_global_unicast),
        Function("isIP", (Overload("is_ip", (t.STRING,), t.BOOL, _is_ip, False, _READ_ESTIMATE, _READ),)),
        Function("string", (Overload("ip_to_string", (IP_TYPE,), t.STRING, str),)),
    ),
    types={"net.IP": IP_TYPE},
)
