"""
String formats a CRD schema may name.

Names are compared without dashes (``date-time`` is ``datetime``); a format not listed is ignored, as in Kubernetes.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/validation/formats.go, k8s.io/kube-openapi/pkg/validation/strfmt.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable

from fairlead_schema.patterns import compile_pattern

_HEX4 = "[0-9a-f]{4}"
_SHORT_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PATTERNS = {
    "uuid": f"(?i)^[0-9a-f]{{8}}-?{_HEX4}-?{_HEX4}-?{_HEX4}-?[0-9a-f]{{12}}$",
    "uuid3": f"(?i)^[0-9a-f]{{8}}-?{_HEX4}-?3[0-9a-f]{{3}}-?{_HEX4}-?[0-9a-f]{{12}}$",
    "uuid4": f"(?i)^[0-9a-f]{{8}}-?{_HEX4}-?4[0-9a-f]{{3}}-?[89ab][0-9a-f]{{3}}-?[0-9a-f]{{12}}$",
    "uuid5": f"(?i)^[0-9a-f]{{8}}-?{_HEX4}-?5[0-9a-f]{{3}}-?[89ab][0-9a-f]{{3}}-?[0-9a-f]{{12}}$",
    "ssn": r"^\d{3}[- ]?\d{2}[- ]?\d{4}$",
    "hexcolor": "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$",
    "bsonobjectid": "^[0-9a-fA-F]{24}$",
    "email": r"^([^\s<>@]+@[^\s<>@,]+|[^<>@]*<[^\s<>@]+@[^\s<>@,]+>)$",
    "mac": r"^([0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}(([:-][0-9a-fA-F]{2}){2}|([:-][0-9a-fA-F]{2}){14})?"
    r"|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4}){2}(\.[0-9a-fA-F]{4}|(\.[0-9a-fA-F]{4}){7})?)$",
    "uri": r"^([a-zA-Z][a-zA-Z0-9+.-]*:\S+|/\S*)$",
    "creditcard": r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$",
}
_CREDIT_CARD = compile_pattern(_PATTERNS["creditcard"])
_HOSTNAME = compile_pattern(
    r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)"
    r"|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$"
)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})")
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_GO_DURATION = compile_pattern(r"^[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$")
_WORD_DURATION = compile_pattern(
    r"^\s*\d+\s*(ns|nano|nanos|nanosecond|nanoseconds|us|µs|micro|micros|microsecond|microseconds|ms|milli|millis"
    r"|millisecond|milliseconds|s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hrs|hour|hours|d|day|days"
    r"|w|wk|wks|week|weeks)\s*$"
)
_RGB = re.compile(r"^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$")


def _hostname(text: str) -> bool:
    return bool(_HOSTNAME.search(text)) and len(text) <= 255 and all(len(part) <= 63 for part in text.split("."))


def _sloppy(text: str) -> str:
    """Drop leading zeros of IPv4 numbers, which Kubernetes still reads as decimal."""
    return re.sub(r"(?<![0-9a-fA-F:])0+(?=\d)", "", text) if ":" not in text else text


def _ipv4(text: str) -> bool:
    try:
        ipaddress.ip_address(_sloppy(text))
    except ValueError:
        return False
    return "." in text


def _ipv6(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return ":" in text and "%" not in text


def _cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    if not slash or not bits.isascii() or not bits.isdigit():
        return False
    try:
        ipaddress.ip_network(f"{_sloppy(address)}/{bits}", strict=False)
    except ValueError:
        return False
    return True


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch(r"\d{9}[\dX]", digits):
        return False
    return sum((10 if d == "X" else int(d)) * (i + 1) for i, d in enumerate(digits)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    return bool(re.fullmatch(r"\d{13}", digits)) and sum(int(d) * (1, 3)[i % 2] for i, d in enumerate(digits)) % 10 == 0


def _byte(text: str) -> bool:
    try:
        return bool(text) and base64.b64decode(text, validate=True) is not None
    except (binascii.Error, ValueError):
        return False


def _luhn(text: str) -> bool:
    digits = re.sub(r"[^0-9]+", "", text)
    if not _CREDIT_CARD.search(digits):
        return False
    doubled = [int(d) * (1, 2)[i % 2] for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if not found:
        return False
    year, month, day = (int(part) for part in found.groups())
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1] + leap


def _date_time(text: str) -> bool:
    """Check a date and a time with its zone; upstream minds neither a leap second, nor what a second t begins."""
    date, *rest = text.lower().split("t")
    found = _TIME.fullmatch(rest[0]) if rest and _date(date) else None
    return bool(found) and found[1] <= "23" and found[2] <= "59" and found[3] <= "59"  # type: ignore[index]  # found


def _rgb(text: str) -> bool:
    found = _RGB.match(text)
    return bool(found) and all(int(part) <= 255 for part in found.groups())  # type: ignore[union-attr]  # found above


def _matcher(pattern: str) -> Callable[[str], bool]:
    compiled = compile_pattern(pattern)
    return lambda text: compiled.search(text) is not None


CHECKS: dict[str, Callable[[str], bool]] = {
    **{name: _matcher(pattern) for name, pattern in _PATTERNS.items() if name != "creditcard"},
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "cidr": _cidr,
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _luhn,
    "rgbcolor": _rgb,
    "byte": _byte,
    "password": lambda _text: True,
    "date": _date,
    "duration": lambda text: bool(_GO_DURATION.search(text) or _WORD_DURATION.search(text)),
    "datetime": _date_time,
    "k8sshortname": lambda text: len(text) <= 63 and bool(re.fullmatch(_SHORT_NAME, text)),
    "k8slongname": lambda text: len(text) <= 253 and bool(re.fullmatch(rf"{_SHORT_NAME}(\.{_SHORT_NAME})*", text)),
}
"""Check by normalised format name."""


def check_of(name: str) -> Callable[[str], bool] | None:
    """Return the check of a format, None when the format is not enforced."""
    normalised = name.replace("-", "")
    # Upstream looks the new formats up by their dashed names, which its own normalising never yields.
    return CHECKS.get(normalised)
