"""
Kubernetes quantities, exactly: ``100m``, ``1.5Gi``, ``12e6``.

A value is kept as ``digits * 10**scale`` in Python integers, so nothing is lost; the canonical text is the one Go
prints, including its habit of leaving some texts as they came (``1500m``, ``1025Ki``, ``01``).

Source: k8s.io/apimachinery pkg/api/resource v0.36.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

DECIMAL_SI, BINARY_SI, DECIMAL_EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"

_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_TEXT = {exponent: suffix for suffix, exponent in _BINARY.items()} | {0: ""}
_DECIMAL_TEXT = {exponent: suffix for suffix, exponent in _DECIMAL.items()}

_PATTERN = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_SHAPE = re.compile(r"([+-]?)0*+([0-9]*+)(?:(\.)([0-9]*+))?+([eEinumkKMGTP]*+[-+]?[0-9]*+)", re.ASCII)
_NANO = -9
_INT64_DIGITS = 18
_MAX_INT64 = (1 << 63) - 1
_MAX_INT32 = (1 << 31) - 1

WRONG_FORMAT = f"quantities must match the regular expression '{_PATTERN}'"
WRONG_NUMBER = "unable to parse numeric part of quantity"
WRONG_SUFFIX = "unable to parse quantity's suffix"


class QuantityError(ValueError):
    """A quantity cannot be read; the text is Kubernetes' own message."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """
    An exact amount with the notation it is written in.

    Attributes:
        digits, scale: The value is ``digits * 10**scale``; the scale may be far out (``1e1000000``).
        notation: ``DecimalSI``, ``BinarySI`` or ``DecimalExponent``.
        text: What :func:`str` gives when Go would keep the text; else ``""``.
    """

    digits: int
    scale: int = 0
    notation: str = DECIMAL_SI
    text: str = ""

    def __eq__(self, other: object) -> bool:
        """Compare values; ``1`` equals ``1000m``."""
        return isinstance(other, Quantity) and _compare(self, other) == 0

    def __lt__(self, other: Quantity) -> bool:
        """Compare values."""
        return _compare(self, other) < 0

    def __hash__(self) -> int:
        """Hash the value, whatever its notation."""
        digits, scale = _without_zeros(self.digits, 10, self.scale)
        return hash((digits, scale if digits else 0))

    def __add__(self, other: Quantity) -> Quantity:
        """Add; the notation is the left one's, unless that is zero."""
        if not self.digits or not other.digits:
            kept = other if not self.digits else self
            return Quantity(kept.digits, kept.scale, (self if self.digits else other).notation)
        scale = min(self.scale, other.scale)
        total = _at(self, scale) + _at(other, scale)
        return Quantity(total, scale, self.notation)

    def __sub__(self, other: Quantity) -> Quantity:
        """Subtract; the notation is the left one's, unless that is zero."""
        return self + Quantity(-other.digits, other.scale, other.notation)

    def rounded_up(self, scale: int = 0) -> int:
        """
        Return the value in units of ``10**scale``, rounded away from zero: ``scale=-3`` gives milli-units.

        Raises:
            QuantityError: It has over a thousand digits.
        """
        if self.scale >= scale:
            return _at(self, scale)
        return _away_from_zero(self.digits, scale - self.scale)

    @property
    def is_integer(self) -> bool:
        """True when it has no fraction."""
        return (
            self.scale >= 0 or _away_from_zero(self.digits, -self.scale) * 10 ** min(-self.scale, 1000) == self.digits
        )

    def __str__(self) -> str:
        """Write the canonical form."""
        return self.text or _canonical(self)


def _at(quantity: Quantity, scale: int) -> int:
    """Return its digits at a smaller or equal scale; refuses numbers that only an attacker writes."""
    shift = quantity.scale - scale
    if not quantity.digits:
        return 0
    if shift > 1000:
        raise QuantityError("the quantity is too large")
    return int(quantity.digits * 10**shift)


def _away_from_zero(digits: int, places: int) -> int:
    """Drop decimal places, rounding up the absolute value."""
    if not digits:
        return 0
    sign = 1 if digits > 0 else -1
    if places > len(str(abs(digits))):
        return sign
    return int(sign * -(-abs(digits) // 10**places))


def _compare(left: Quantity, right: Quantity) -> int:
    """Return -1, 0 or 1, without writing out an exponent of a million."""
    sign, other = _sign(left), _sign(right)
    if sign != other or not sign:
        return (sign > other) - (sign < other)
    magnitude, others = _magnitude(left), _magnitude(right)
    if magnitude != others:
        return sign if magnitude > others else -sign
    # The same number of places: the scales differ by no more than the digits do.
    scale = min(left.scale, right.scale)
    a, b = left.digits * 10 ** (left.scale - scale), right.digits * 10 ** (right.scale - scale)
    return int(a > b) - int(a < b)


def _sign(quantity: Quantity) -> int:
    return (quantity.digits > 0) - (quantity.digits < 0)


def _magnitude(quantity: Quantity) -> int:
    return len(str(abs(quantity.digits))) + quantity.scale


def _without_zeros(digits: int, base: int, exponent: int, step: int = 1) -> tuple[int, int]:
    """Move factors of ``base`` from the digits into the exponent."""
    while digits and digits % base == 0:
        digits //= base
        exponent += step
    return digits, exponent


def _canonical(quantity: Quantity) -> str:
    if not quantity.digits:
        return "0"
    if quantity.notation == BINARY_SI and _binary_fits(quantity):
        digits, exponent = _without_zeros(quantity.rounded_up(), 1024, 0, 10)
        return f"{digits}{_BINARY_TEXT.get(exponent, '')}"
    digits, exponent = _without_zeros(quantity.digits, 10, quantity.scale)
    digits, exponent = digits * 10 ** (exponent % 3), exponent - exponent % 3
    if quantity.notation == DECIMAL_EXPONENT:
        return f"{digits}e{exponent}" if exponent else str(digits)
    return f"{digits}{_DECIMAL_TEXT.get(exponent, '')}"


def _binary_fits(quantity: Quantity) -> bool:
    small = Quantity(-1024) < quantity < Quantity(1024)
    return not small and quantity.is_integer


_LONGEST = 4_000
"""Digits that Python reads as a number."""


def parse(value: str | float) -> Quantity:
    """
    Read a quantity from JSON: a text, or a bare number.

    Raises:
        QuantityError: It is none.
    """
    text = value if isinstance(value, str) else repr(value)
    if not text:
        raise QuantityError(WRONG_FORMAT)
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise QuantityError(WRONG_FORMAT)
    sign, whole, _, fraction, suffix = match.groups(default="")
    exponent, notation = _suffix(suffix)
    negative = sign == "-"
    if len(whole) > _LONGEST:
        raise QuantityError(WRONG_NUMBER)
    if len(fraction) > _LONGEST:  # nothing smaller than a billionth is kept, but rounded up
        fraction = fraction[:_LONGEST] + ("1" if fraction[_LONGEST:].strip("0") else "")
    if not _in_int64(whole, fraction, exponent, notation):
        # Only Go's arbitrary-precision path minds a number without any digit.
        if not re.search("[0-9]", text[: match.start(5)]):
            raise QuantityError(WRONG_NUMBER)
        return _big(int((whole + fraction) or "0"), len(fraction), exponent, notation, negative)
    digits, shifted = int((whole or "0") + fraction), (whole or "0") + fraction
    if notation == BINARY_SI:
        kept, digits, scale = digits & 7 != 0, digits << exponent, 0
    else:
        scale = exponent - len(fraction)
        kept = scale % 3 == 0 and not shifted.endswith("000") and not shifted.startswith("0")
    return Quantity(-digits if negative else digits, scale, notation, text if kept else "")


def fits_int64(text: str) -> bool:
    """
    Tell whether Go keeps a quantity in 64 bits; only of such a one does it tell the integer.

    Raises:
        QuantityError: It is none.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise QuantityError(WRONG_FORMAT)
    _, whole, _, fraction, suffix = match.groups(default="")
    return _in_int64(whole, fraction, *_suffix(suffix))


def _suffix(suffix: str) -> tuple[int, str]:
    """Return exponent (of ten, or of two) and notation."""
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], DECIMAL_SI
    if suffix in _BINARY:
        return _BINARY[suffix], BINARY_SI
    if (
        re.fullmatch(r"[eE][+-]?[0-9]{1,4000}", suffix)
        and -_MAX_INT64 - 1 <= (exponent := int(suffix[1:])) <= _MAX_INT64
    ):
        # Go cuts the exponent to 32 bits.
        return (exponent + _MAX_INT32 + 1) % (1 << 32) - _MAX_INT32 - 1, DECIMAL_EXPONENT
    raise QuantityError(WRONG_SUFFIX)


def _in_int64(whole: str, fraction: str, exponent: int, notation: str) -> bool:
    """Tell whether Go takes its fast path, which alone keeps texts and never rounds."""
    places = len(whole or "0") + len(fraction)
    if notation != BINARY_SI:
        return places <= _INT64_DIGITS and exponent - len(fraction) >= _NANO
    if fraction or 15 - len(whole or "0") - exponent * 3 // 10 - 1 < 0:
        return False
    return int(whole or "0") << exponent <= _MAX_INT64


def _big(digits: int, places: int, exponent: int, notation: str, negative: bool) -> Quantity:
    """Follow Go's other path: round up to nano, cap binary amounts at the largest int64."""
    if notation == BINARY_SI:
        digits, exponent = digits << exponent, 0
    scale = exponent - places
    if scale < _NANO:
        digits, scale = _away_from_zero(digits, _NANO - scale), _NANO
    amount = Quantity(digits, scale, notation)
    if notation == BINARY_SI:
        if amount > Quantity(_MAX_INT64):
            amount = Quantity(_MAX_INT64, 0, notation)
        if Quantity(0) < amount < Quantity(1):
            notation = DECIMAL_SI
    return Quantity(-amount.digits if negative else amount.digits, amount.scale, notation)


def canonical(value: str | float) -> str:
    """
    Return the text a server stores for a quantity.

    Raises:
        QuantityError: It is none.
    """
    return str(parse(value))
