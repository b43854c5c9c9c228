"""
Timestamps and durations: as text, and by calendar.

Source: Go's time package (RFC 3339 parsing and formatting, ParseDuration, LoadLocation's messages),
cel-go common/types/timestamp.go and duration.go, k8s.io/kube-openapi strfmt for the formats of schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from fairlead_schema.cel.arithmetic import FIRST_SECOND, INT_LEAST, INT_MOST, LAST_SECOND, SECOND
from fairlead_schema.cel.values import Duration, EvaluationError, Timestamp

DAY = 86400
Zones = Callable[[str, int], int | None]
"""Seconds east of UTC of a named zone (``Europe/Berlin``) at a moment in seconds since 1970; None of an unknown one."""

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:(Z)|([+-])(\d\d):(\d\d))?)?", re.ASCII
)
_PART = re.compile(r"(\d*+)(\.?)(\d*+)([^\d.]++)", re.ASCII)
_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_WORDS = re.compile(r"((?<!\d)(\d++)\s*+([A-Za-zµ]+))", re.ASCII)
_DIGITS = 19
"""Of the largest number of 64 bits."""
_WORD_UNITS = (
    (("ns", "nano"), 1),
    (("us", "µs", "micro"), 1000),
    (("ms", "milli"), 10**6),
    (("s", "sec"), SECOND),
    (("m", "min"), 60 * SECOND),
    (("h", "hr", "hour"), 3600 * SECOND),
    (("d", "day"), DAY * SECOND),
    (("w", "wk", "week"), 7 * DAY * SECOND),
)


def day_number(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01 to a date of the Gregorian calendar."""
    shifted = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719468


def date_of(days: int) -> tuple[int, int, int]:
    """Return year, month and day, so many days after 1970-01-01."""
    era, of_era = divmod(days + 719468, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return era * 400 + year_of_era + (month <= 2), month, of_year - (153 * shifted + 2) // 5 + 1


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _moment(text: str, *, clock: bool, zone: bool) -> Timestamp | None:
    found = _MOMENT.fullmatch(text)
    if found is None or (found[4] is not None) is not clock or (zone and not (found[8] or found[9])):
        return None
    year, month, day = int(found[1]), int(found[2]), int(found[3])
    if not (1 <= month <= 12 and 1 <= day <= _days_in(year, month)):
        return None
    hour, minute, second = (int(found[part] or 0) for part in (4, 5, 6))
    off_hours, off_minutes = int(found[10] or 0), int(found[11] or 0)
    if hour > 23 or minute > 59 or second > 59 or off_hours > 24 or off_minutes > 60:
        return None
    offset = (off_hours * 3600 + off_minutes * 60) * (-1 if found[9] == "-" else 1)
    seconds = day_number(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset
    return Timestamp(seconds, int((found[7] or "").ljust(9, "0")[:9]), offset)


def parse_timestamp(text: str) -> Timestamp | None:
    """
    Read an RFC 3339 timestamp, or give None.

    Raises:
        EvaluationError: It is not of years 1 to 9999.
    """
    moment = _moment(text, clock=True, zone=True)
    if moment is not None and not FIRST_SECOND <= moment.seconds <= LAST_SECOND:
        raise EvaluationError("timestamp overflow")
    return moment


def format_timestamp(moment: Timestamp) -> str:
    """Write a timestamp as RFC 3339 with as many digits as it needs, in the zone it was written in."""
    days, second = divmod(moment.seconds + moment.offset, DAY)
    year, month, day = date_of(days)
    fraction = f".{moment.nanoseconds:09d}".rstrip("0") if moment.nanoseconds else ""
    zone = "Z"
    if moment.offset:
        minutes = abs(moment.offset) // 60
        zone = f"{'-' if moment.offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
    clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}T{clock}{fraction}{zone}"


def parse_duration(text: str) -> Duration | None:
    """Read a duration as Go writes it (``1h30m``, ``-1.5s``), or give None."""
    sign, rest = (-1 if text[:1] == "-" else 1), text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or not (part[1] or part[3]) or part[4] not in _UNITS:
            return None
        unit = _UNITS[part[4]]
        if len(part[1].lstrip("0")) > _DIGITS:
            return None
        total += int(part[1] or 0) * unit
        if part[3]:
            digits = part[3][:18]
            total += int(float(int(digits)) * (unit / 10.0 ** len(digits)))
        if total > 2**63:
            return None
        at = part.end()
    total *= sign
    return Duration(total) if at and INT_LEAST <= total <= INT_MOST else None


def seconds_of(duration: Duration) -> float:
    """Return a duration in seconds, as near as Go comes."""
    whole = abs(duration.nanoseconds) // SECOND * (-1 if duration.nanoseconds < 0 else 1)
    return whole + (duration.nanoseconds - whole * SECOND) / 1e9


def format_duration(duration: Duration) -> str:
    """Write a duration in seconds: ``90s``, ``0.5s``."""
    text = format(Decimal(repr(seconds_of(duration))), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "s"


def schema_timestamp(text: str, shape: str) -> Timestamp:
    """
    Read a string of a schema: ``date``, ``date-time``, or "" for whichever it looks like.

    Raises:
        EvaluationError: It is not of that format.
    """
    if shape != "date-time":
        moment = _moment(text, clock=False, zone=False)
        if moment is not None:
            return moment
        if shape == "date":
            raise EvaluationError(f"Invalid date formatted string {text}")
    if text == "":
        return Timestamp(0)
    moment = _moment(text, clock=True, zone=False)
    if moment is None:
        raise EvaluationError(f"Invalid date-time formatted string {text}")
    return moment


def schema_duration(text: str) -> Duration:
    """
    Read a string of a schema of format ``duration``: Go's way, or with words (``3 days``).

    Raises:
        EvaluationError: It is neither.
    """
    duration = parse_duration(text)
    if duration is not None:
        return duration
    total, found = 0, False
    for _, count, word in _WORDS.findall(text):
        if len(count.lstrip("0")) > _DIGITS:
            raise EvaluationError(f'strconv.Atoi: parsing "{count}": value out of range')
        for names, unit in _WORD_UNITS:
            if word.lower() in names or word.lower().startswith(names[-1]):
                total, found = total + int(count) * unit, True
    if not found:
        raise EvaluationError(f"Invalid duration {text}: unable to parse {text} as duration")
    return Duration((total + 2**63) % 2**64 - 2**63)


def offset_of(zone: str, seconds: int, zones: Zones | None) -> int:
    """
    Return the seconds east of UTC of ``+02:00``, ``UTC`` or a named zone.

    Raises:
        EvaluationError: There is no such zone.
    """
    hours, colon, minutes = zone.partition(":")
    if colon:
        hour, minute = _number(hours), _number(minutes)
        return (hour * 60 - minute if zone[0] == "-" else hour * 60 + minute) * 60
    if zone in ("", "UTC"):
        return 0
    offset = zones(zone, seconds) if zones is not None else None
    if offset is None:
        raise EvaluationError(f"unknown time zone {zone}")
    return offset


def _number(text: str) -> int:
    if re.fullmatch(r"[+-]?\d+", text, re.ASCII) is None:
        raise EvaluationError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _day_of_year(days: int) -> int:
    return days - day_number(date_of(days)[0], 1, 1)


ACCESSORS: dict[str, Callable[[int, int, int], int]] = {
    "getFullYear": lambda days, second, nano: date_of(days)[0],
    "getMonth": lambda days, second, nano: date_of(days)[1] - 1,
    "getDayOfYear": lambda days, second, nano: _day_of_year(days),
    "getDayOfMonth": lambda days, second, nano: date_of(days)[2] - 1,
    "getDate": lambda days, second, nano: date_of(days)[2],
    "getDayOfWeek": lambda days, second, nano: (days + 4) % 7,
    "getHours": lambda days, second, nano: second // 3600,
    "getMinutes": lambda days, second, nano: second // 60 % 60,
    "getSeconds": lambda days, second, nano: second % 60,
    "getMilliseconds": lambda days, second, nano: nano // 10**6,
}
"""What each accessor of a timestamp reads from a local day, second of that day, and nanosecond."""


def read(accessor: str, moment: Timestamp, offset: int) -> int:
    """Return what an accessor reads of a moment in the zone so many seconds east of UTC."""
    days, second = divmod(moment.seconds + offset, DAY)
    return ACCESSORS[accessor](days, second, moment.nanoseconds)


def read_duration(accessor: str, duration: Duration) -> int:
    """Return a duration in whole hours, minutes, seconds or milliseconds, towards zero."""
    unit = {"getHours": 3600 * SECOND, "getMinutes": 60 * SECOND, "getSeconds": SECOND, "getMilliseconds": 10**6}[
        accessor
    ]
    count = abs(duration.nanoseconds) // unit
    return -count if duration.nanoseconds < 0 else count
