"""
The schedules of CronJobs, read as far as it takes to say what is wrong with them.

Source: github.com/robfig/cron/v3 parser.go (ParseStandard), whose errors Kubernetes shows.
"""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from fairlead_api.field_errors import quoted

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTH_NAMES = {name: number + 1 for number, name in enumerate(_MONTHS)}
_DAY_NAMES = {name: number for number, name in enumerate(_DAYS)}
# Minute, hour, day of month, month, day of week: least, most, names.
_FIELDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTH_NAMES), (0, 6, _DAY_NAMES),
)  # fmt: skip
_DESCRIPTORS = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
_EVERY = "@every "
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)", re.ASCII)
_UNITS = {"ns", "us", "\u00b5s", "\u03bcs", "ms", "s", "m", "h"}
_INT64 = 2**63


class _ScheduleError(ValueError):
    """A schedule cannot be read; the text is the parser's."""


def schedule_problem(text: str) -> str:
    """Return what is wrong with a schedule; empty when nothing is."""
    try:
        _parse(text)
    except _ScheduleError as error:
        return str(error)
    return ""


def zone_problem(name: str) -> str:
    """Return why a time zone cannot be loaded; empty when it can."""
    if name in {"UTC", "Local"} or not available_timezones():
        return ""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {name}"
    return ""


def _parse(text: str) -> None:
    if text.startswith(("TZ=", "CRON_TZ=")):
        zone, blank, rest = text.partition(" ")
        if not blank:
            raise _ScheduleError("invalid schedule format: runtime error: slice bounds out of range [:-1]")
        zone = zone.partition("=")[2]
        if problem := zone_problem(zone) if zone else "":
            raise _ScheduleError(f"provided bad location {zone}: {problem}")
        text = rest.strip()
    if text.startswith("@"):
        _descriptor(text)
        return
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise _ScheduleError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, bounds in zip(fields, _FIELDS, strict=True):
        for expression in field.split(","):
            if expression:
                _range(expression, *bounds)


def _descriptor(text: str) -> None:
    if text in _DESCRIPTORS:
        return
    if not text.startswith(_EVERY):
        raise _ScheduleError(f"unrecognized descriptor: {text}")
    problem = _duration_problem(text.removeprefix(_EVERY))
    if problem:
        raise _ScheduleError(f"failed to parse duration {text}: time: {problem}")


def _duration_problem(text: str) -> str:
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return ""
    shown, at = quoted(text), 0
    while at < len(rest) or not rest:
        match = _PART.match(rest, at)
        if match is None:
            return f"invalid duration {shown}"
        if not match[2]:
            return f"missing unit in duration {shown}"
        if match[2] not in _UNITS:
            return f"unknown unit {quoted(match[2])} in duration {shown}"
        at = match.end()
    return ""


def _range(text: str, least: int, most: int, names: dict[str, int]) -> None:
    parts = text.split("/")
    low, *more = parts[0].split("-")
    if low in {"*", "?"}:
        start, end = least, most
    else:
        start = end = _number(low, names)
        if len(more) == 1:
            end = _number(more[0], names)
        elif more:
            raise _ScheduleError(f"too many hyphens: {text}")
    step = 1
    if len(parts) == 2:
        step = _number(parts[1], {})
        end = most if not more else end
    elif len(parts) > 2:
        raise _ScheduleError(f"too many slashes: {text}")
    _check_bounds(text, start, end, (least, most))
    if not step:
        raise _ScheduleError(f"step of range should be a positive number: {text}")


def _check_bounds(text: str, start: int, end: int, bounds: tuple[int, int]) -> None:
    least, most = bounds
    if start < least:
        raise _ScheduleError(f"beginning of range ({start}) below minimum ({least}): {text}")
    if end > most:
        raise _ScheduleError(f"end of range ({end}) above maximum ({most}): {text}")
    if start > end:
        raise _ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {text}")


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not _INTEGER.fullmatch(text):
        raise _ScheduleError(f"failed to parse int from {text}: strconv.Atoi: parsing {quoted(text)}: invalid syntax")
    number = int(text)
    if not -_INT64 <= number < _INT64:
        raise _ScheduleError(
            f"failed to parse int from {text}: strconv.Atoi: parsing {quoted(text)}: value out of range"
        )
    if number < 0:
        raise _ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number
