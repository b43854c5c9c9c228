"""
Conversions between types, by functions named like types (``int('7')``), and their texts.

Source: cel-go common/types (ConvertToType) and Go's strconv, whose syntax of numbers this is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from fairlead_schema.cel.arithmetic import FIRST_SECOND, INT_LEAST, INT_MOST, LAST_SECOND, UINT_MOST
from fairlead_schema.cel.kinds import name_of
from fairlead_schema.cel.times import format_duration, format_timestamp, parse_duration, parse_timestamp
from fairlead_schema.cel.values import Duration, EvaluationError, Timestamp, UInt, Value

_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(
    r"[+-]?(?:([0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)
_HEX = re.compile(r"[+-]?0x(?:[0-9a-f]++\.?+[0-9a-f]*+|\.[0-9a-f]++)p[+-]?[0-9]++", re.ASCII | re.IGNORECASE)
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])", re.ASCII)
_BETWEEN_HEX_DIGITS = re.compile(r"(?<=[0-9a-fx])_(?=[0-9a-f])", re.ASCII | re.IGNORECASE)
_BOOLS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def _refused(value: Value, target: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{name_of(value)}' to '{target}'")


def identity(value: Value) -> Value:
    """Return the value."""
    return value


def to_bool(text: str) -> bool:
    """Read ``true`` or ``false``, and what Go reads as one."""
    found = _BOOLS.get(text)
    if found is None:
        raise _refused(text, "bool")
    return found


def to_int(text: str) -> int:
    """Read a signed decimal integer of 64 bits."""
    if len(text) < 4096 and _WHOLE.fullmatch(text) and INT_LEAST <= (number := int(text)) <= INT_MOST:
        return number
    raise _refused(text, "int")


def to_uint(text: str) -> UInt:
    """Read an unsigned decimal integer of 64 bits."""
    if len(text) < 4096 and text[:1] not in "+-" and _WHOLE.fullmatch(text) and (number := int(text)) <= UINT_MOST:
        return UInt(number)
    raise _refused(text, "uint")


def to_double(text: str) -> float:
    """Read a floating-point number as Go does."""
    exponent = max(text.rfind("p"), text.rfind("P"), 0)  # only hexadecimal numbers have one
    plain = _BETWEEN_HEX_DIGITS.sub("", text[:exponent]) + _BETWEEN_DIGITS.sub("", text[exponent:])
    decimal = _FLOAT.fullmatch(plain)
    if decimal is None and not _HEX.fullmatch(plain):
        raise _refused(text, "double")
    try:
        number = float(plain) if decimal else float.fromhex(plain)
    except OverflowError:
        raise _refused(text, "double") from None
    if decimal and decimal[1] and number in (float("inf"), float("-inf")):
        raise _refused(text, "double")
    return number


def to_duration(text: str) -> Duration:
    """Read ``1h30m``."""
    duration = parse_duration(text)
    if duration is None:
        raise _refused(text, "google.protobuf.Duration")
    return duration


def refuse_duration(number: int) -> Duration:
    """Refuse to make a duration of an integer: declared, but never done."""
    raise _refused(number, "google.protobuf.Duration")


def to_timestamp(text: str) -> Timestamp:
    """Read an RFC 3339 timestamp."""
    moment = parse_timestamp(text)
    if moment is None:
        raise _refused(text, "google.protobuf.Timestamp")
    return moment


def timestamp_of(seconds: int) -> Timestamp:
    """Return the timestamp so many seconds after 1970."""
    if FIRST_SECOND <= seconds <= LAST_SECOND:
        return Timestamp(seconds)
    raise EvaluationError("timestamp overflow")


def double_to_int(number: float) -> int:
    """Cut off the fraction."""
    if -(2.0**63) < number < 2.0**63:
        return int(number)
    raise EvaluationError("integer overflow")


def double_to_uint(number: float) -> UInt:
    """Cut off the fraction."""
    if 0 <= number < 2.0**64:
        return UInt(int(number))
    raise EvaluationError("unsigned integer overflow")


def to_bytes(text: str) -> bytes:
    """Write UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def bytes_to_string(data: bytes) -> str:
    """Read UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None


def double_to_string(number: float) -> str:
    """Write a double as Go's ``%g``: ``1.5``, ``1e+06``, ``+Inf``."""
    if math.isnan(number):
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "+Inf" if number > 0 else "-Inf"
    sign, digits, exponent = digits_of(number)
    if -4 <= exponent < 6:
        if exponent < 0:
            return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
        whole, rest = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
        return f"{sign}{whole}.{rest}" if rest else f"{sign}{whole}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def digits_of(number: float) -> tuple[str, str, int]:
    """Return sign, the fewest digits that tell a finite number, and the power of ten of the first one."""
    if number == 0:
        return ("-" if str(number)[0] == "-" else ""), "0", 0
    mantissa, _, exponent = f"{number!r}".lower().partition("e")
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    power = int(exponent or 0) + len(whole) - 1
    joined = whole + fraction
    digits = joined.lstrip("0")
    return sign, digits.rstrip("0") or "0", power - (len(joined) - len(digits))


_TEXTS: dict[type, Callable[[Value], str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    UInt: lambda value: str(int(value)),
    float: double_to_string,
    bytes: bytes_to_string,
    Duration: format_duration,
    Timestamp: format_timestamp,
}


def to_string(value: Value) -> str:
    """Write a value as ``string(value)`` does."""
    write = _TEXTS.get(type(value))
    if write is None:
        raise _refused(value, "string")
    return write(value)


def text_of(value: Value) -> str:
    """Write a value as messages show it: Go's ``%v``."""
    if isinstance(value, bytes):
        return f"[{' '.join(map(str, value))}]"
    if isinstance(value, list):
        return f"[{', '.join(map(text_of, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text_of(key)}: {text_of(held)}" for key, held in value.items()) + "}"
    if value is None:
        return "0"
    write = _TEXTS.get(type(value))
    return str(value) if write is None else write(value)
