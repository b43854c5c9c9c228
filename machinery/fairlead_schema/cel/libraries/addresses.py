"""
IP addresses and networks, read as strictly as Go does, with its complaints.

Source: Go net/netip.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar

from fairlead_api.field_errors import quoted
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import LibraryValue

IP_TYPE, CIDR_TYPE = Type("net.IP"), Type("net.CIDR")
_FIRST_SIGN = re.compile("[.:%]")
_HEX = re.compile("[0-9a-fA-F]*")
_GROUPS = 8


class BadAddress(ValueError):
    """A text is no address or network; the text is Go's."""


@dataclass(frozen=True, slots=True)
class IP(LibraryValue):
    """An address: its number, and how many bits it has (32 or 128)."""

    cel_type: ClassVar[Type] = IP_TYPE

    number: int
    bits: int

    @property
    def cel_size(self) -> int:
        """Bytes it has."""
        return self.bits // 8

    @property
    def is_mapped(self) -> bool:
        """True for an IPv4 address written as an IPv6 one."""
        return self.bits == 128 and self.number >> 32 == 0xFFFF  # ::ffff:0:0/96

    def begins(self, bits: int) -> int:
        """Return the number its first bits make."""
        return self.number >> self.bits - bits

    def __str__(self) -> str:
        """Write the canonical form."""
        address = ipaddress.IPv4Address if self.bits == 32 else ipaddress.IPv6Address
        return str(address(self.number))


@dataclass(frozen=True, slots=True)
class CIDR(LibraryValue):
    """A network, whose address may have bits beyond the prefix."""

    cel_type: ClassVar[Type] = CIDR_TYPE

    address: IP
    prefix: int

    @property
    def cel_size(self) -> int:
        """Bytes that the prefix takes."""
        return -(-self.prefix // 8)

    def masked(self) -> CIDR:
        """Return it without the bits beyond the prefix."""
        beyond = self.address.bits - self.prefix
        return CIDR(IP(self.address.number >> beyond << beyond, self.address.bits), self.prefix)

    def contains(self, address: IP) -> bool:
        """Tell whether an address is in it."""
        return self.address.bits == address.bits and self.address.begins(self.prefix) == address.begins(self.prefix)

    def contains_network(self, other: CIDR) -> bool:
        """Tell whether all of a network is in it."""
        return self.prefix <= other.prefix and self.contains(other.address)

    def __str__(self) -> str:
        """Write address and prefix length."""
        return f"{self.address}/{self.prefix}"


def parse_address(text: str) -> tuple[IP, str]:
    """
    Return an address and its zone (``eth0`` in ``fe80::1%eth0``).

    Raises:
        BadAddress: It is none.
    """
    sign = _FIRST_SIGN.search(text)
    try:
        if sign is None:
            raise _problem("unable to parse IP")
        if sign[0] == ".":
            return IP(_four(text), 32), ""
        if sign[0] == "%":
            raise _problem("missing IPv6 address")
        body, percent, zone = text.partition("%")
        if percent and not zone:
            raise _problem("zone must be a non-empty string")
        return IP(_six(body), 128), zone
    except BadAddress as error:
        raise BadAddress(f"ParseAddr({quoted(text)}): {error}") from error


def parse_network(text: str) -> CIDR:
    """
    Return a network.

    Raises:
        BadAddress: It is none.
    """
    address, slash, length = text.rpartition("/")
    try:
        if not slash:
            raise _problem("no '/'")
        ip, zone = parse_address(address)
        if zone:
            raise _problem("IPv6 zones cannot be present in a prefix")
        prefix = _prefix_length(length)
        if prefix > ip.bits:
            raise _problem("prefix length out of range")
    except BadAddress as error:
        raise BadAddress(f"netip.ParsePrefix({quoted(text)}): {error}") from error
    return CIDR(ip, prefix)


def _prefix_length(text: str) -> int:
    if not re.fullmatch("[0-9]|[1-9][0-9]{1,18}", text):
        raise _problem(f"bad bits after slash: {quoted(text)}")
    return int(text)


def _problem(message: str, at: str = "") -> BadAddress:
    return BadAddress(message + (f" (at {quoted(at)})" if at else ""))


def _four(text: str) -> int:
    """Return the number of dotted decimals; the first thing wrong from the left is told."""
    number = value = digits = dots = 0
    for index, character in enumerate(text):
        if character.isascii() and character.isdigit():
            if digits == 1 and value == 0:
                raise _problem("IPv4 field has octet with leading zero")
            value, digits = value * 10 + int(character), digits + 1
            if value > 0xFF:  # a byte
                raise _problem("IPv4 field has value >255")
        elif character == ".":
            if not digits or index == len(text) - 1:
                raise _problem("IPv4 field must have at least one digit", text[index:])
            if dots == 3:  # between four numbers
                raise _problem("IPv4 address too long")
            number, value, digits, dots = number << 8 | value, 0, 0, dots + 1
        else:
            raise _problem("unexpected character", text[index:])
    if dots < 3:
        raise _problem("IPv4 address too short")
    return number << 8 | value


def _six(text: str) -> int:
    """Return the number of hexadecimal groups, of which ``::`` stands for those left out."""
    groups: list[int] = []
    gap = 0 if text.startswith("::") else None
    rest = text[2:] if gap == 0 else text
    while len(groups) < _GROUPS and (rest or gap is None):
        digits = _group(rest)
        if rest[len(digits) :].startswith("."):
            groups += _embedded(rest, len(groups), gap)
            rest = ""
            break
        groups.append(int(digits, 16))
        rest = rest[len(digits) :]
        if not rest:
            break
        rest = _after_colon(rest)
        if rest.startswith(":"):
            if gap is not None:
                raise _problem("multiple :: in address", rest)
            gap, rest = len(groups), rest[1:]
    if rest:
        raise _problem("trailing garbage after address", rest)
    return _joined(groups, gap)


def _group(rest: str) -> str:
    found = _HEX.match(rest)
    digits = found[0] if found else ""
    if len(digits) > 4:  # of 16 bits
        raise _problem("each group must have 4 or less digits", rest)
    if not digits:
        raise _problem("each colon-separated field must have at least one digit", rest)
    return digits


def _after_colon(rest: str) -> str:
    if rest[0] != ":":
        raise _problem("unexpected character, want colon", rest)
    if len(rest) == 1:
        raise _problem("colon must be followed by more characters", rest)
    return rest[1:]


def _embedded(rest: str, before: int, gap: int | None) -> list[int]:
    """Return the two groups of an IPv4 address at the end."""
    if gap is None and before != _GROUPS - 2:
        raise _problem("embedded IPv4 address must replace the final 2 fields of the address", rest)
    if before > _GROUPS - 2:
        raise _problem("too many hex fields to fit an embedded IPv4 at the end of the address", rest)
    return list(divmod(_four(rest), 1 << 16))


def _joined(groups: list[int], gap: int | None) -> int:
    missing = _GROUPS - len(groups)
    if missing and gap is None:
        raise _problem("address string too short")
    if not missing and gap is not None:
        raise _problem("the :: must expand to at least one field of zeros")
    number = 0
    at = gap or 0
    for group in [*groups[:at], *[0] * missing, *groups[at:]]:
        number = number << 16 | group
    return number
