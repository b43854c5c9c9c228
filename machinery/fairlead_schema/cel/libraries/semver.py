"""
Semantic versions: ``semver('1.2.3').isLessThan(semver('1.10.0'))``.

Source: k8s.io/apiserver/pkg/cel/library/semverlib.go, version 1, and github.com/blang/semver v4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from fairlead_api.field_errors import quoted
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import EvaluationError, LibraryValue, Value

SEMVER_TYPE = Type("kubernetes.Semver")
_DIGITS = re.compile("[0-9]*")
_WORD = re.compile("[0-9A-Za-z-]*")
_PARTS = 3
_UINT64 = 2**64


@dataclass(frozen=True, slots=True)
class Semver(LibraryValue):
    """A version; ``pre`` has its prerelease parts, numbers as such; ``build`` does not count in comparisons."""

    cel_type: ClassVar[Type] = SEMVER_TYPE

    numbers: tuple[int, int, int]
    pre: tuple[int | str, ...] = ()
    build: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[object, ...]:
        """What to compare: a prerelease is before its release, numbers are before words, short before long."""
        parts = tuple((isinstance(part, str), part) for part in self.pre)
        return (*self.numbers, not self.pre, parts)

    def equals(self, other: Value) -> bool:
        """Compare without the build."""
        if not isinstance(other, Semver):
            raise EvaluationError("no such overload")
        return self.rank == other.rank

    def __str__(self) -> str:
        """Write the version."""
        pre = f"-{'.'.join(map(str, self.pre))}" if self.pre else ""
        build = f"+{'.'.join(self.build)}" if self.build else ""
        return ".".join(map(str, self.numbers)) + pre + build


def parse(text: str) -> Semver:
    """
    Read a version, strictly.

    Raises:
        EvaluationError: It is none; the text is the Go library's.
    """
    if not text:
        raise EvaluationError("Version string empty")
    parts = text.split(".", _PARTS - 1)
    if len(parts) < _PARTS:
        raise EvaluationError("No Major.Minor.Patch elements found")
    major, minor = _number("Major", parts[0]), _number("Minor", parts[1])
    rest, plus, build = parts[2].partition("+")
    patch, dash, pre = rest.partition("-")
    numbers = (major, minor, _number("Patch", patch))
    return Semver(
        numbers,
        tuple(map(_prerelease, pre.split("."))) if dash else (),
        tuple(map(_build, build.split("."))) if plus else (),
    )


def _number(name: str, text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise EvaluationError(f"Invalid character(s) found in {name.lower()} number {quoted(text)}")
    if len(text) > 1 and text[0] == "0":
        raise EvaluationError(f"{name} number must not contain leading zeroes {quoted(text)}")
    return _uint(text)


def _uint(text: str) -> int:
    """Read digits as Go's strconv does."""
    if not text:
        raise EvaluationError('strconv.ParseUint: parsing "": invalid syntax')
    if len(text) > len(str(_UINT64)) or int(text) >= _UINT64:
        raise EvaluationError(f"strconv.ParseUint: parsing {quoted(text)}: value out of range")
    return int(text)


def _prerelease(text: str) -> int | str:
    if not text:
        raise EvaluationError("Prerelease is empty")
    if _DIGITS.fullmatch(text):
        if len(text) > 1 and text[0] == "0":
            raise EvaluationError(f"Numeric PreRelease version must not contain leading zeroes {quoted(text)}")
        return _uint(text)
    if not _WORD.fullmatch(text):
        raise EvaluationError(f"Invalid character(s) found in prerelease {quoted(text)}")
    return text


def _build(text: str) -> str:
    if not text:
        raise EvaluationError("Build meta data is empty")
    if not _WORD.fullmatch(text):
        raise EvaluationError(f"Invalid character(s) found in build meta data {quoted(text)}")
    return text


def normalised(text: str) -> str:
    """
    Return a sloppy version as it should be: without a ``v`` and leading zeroes, with all three numbers.

    Raises:
        EvaluationError: A shortened one has more than numbers.
    """
    parts = [_without_zeroes(part) for part in text.removeprefix("v").split(".", _PARTS - 1)]
    if len(parts) < _PARTS and re.search("[+-]", parts[-1]):
        raise EvaluationError("short version cannot contain PreRelease/Build meta data")
    return ".".join(parts + ["0"] * (_PARTS - len(parts)))


def _without_zeroes(part: str) -> str:
    if len(part) < 2:  # a lone zero stays
        return part
    stripped = part.lstrip("0")
    return stripped if _DIGITS.fullmatch(stripped[:1]) and stripped else f"0{stripped}"


def _to_semver(text: str, normalise: bool = False) -> Semver:  # as expressions give it
    return parse(normalised(text) if normalise else text)


def _is_semver(text: str, normalise: bool = False) -> bool:  # as expressions give it
    try:
        _to_semver(text, normalise)
    except EvaluationError:
        return False
    return True


def _signed(number: int) -> int:
    """Return the number as Go makes an int64 of it."""
    return (number + 2**63) % _UINT64 - 2**63


def _part(index: int) -> Callable[[Semver], int]:
    return lambda version: _signed(version.numbers[index])


def _compare(left: Semver, right: Semver) -> int:
    return int(left.rank > right.rank) - int(left.rank < right.rank)


def _is_greater(left: Semver, right: Semver) -> bool:
    return _compare(left, right) > 0


def _is_less(left: Semver, right: Semver) -> bool:
    return _compare(left, right) < 0


_NOMINAL = CallEstimate(costs.ONE)
_ONE, _TWO = (SEMVER_TYPE,), (SEMVER_TYPE, SEMVER_TYPE)


def _reading(name: str, key: str, result: Type, call: Callable[..., Value]) -> Function:
    read, estimate = costs.read(), costs.estimate_read()
    plain = Overload(key.format(""), (t.STRING,), result, call, False, estimate, read)
    normalising = Overload(key.format("_bool"), (t.STRING, t.BOOL), result, call, False, estimate, read)
    return Function(name, (plain, normalising), read)


def _asking(name: str, key: str, arguments: tuple[Type, ...], result: Type, call: Callable[..., Value]) -> Function:
    return Function(name, (Overload(key, arguments, result, call, True, lambda _: _NOMINAL),))


SEMVERS = Library(
    "kubernetes.Semver",
    (
        _reading("semver", "string{}_to_semver", SEMVER_TYPE, _to_semver),
        _reading("isSemver", "is_semver_string{}", t.BOOL, _is_semver),
        _asking("isGreaterThan", "semver_is_greater_than", _TWO, t.BOOL, _is_greater),
        _asking("isLessThan", "semver_is_less_than", _TWO, t.BOOL, _is_less),
        _asking("compareTo", "semver_compare_to", _TWO, t.INT, _compare),
        _asking("major", "semver_major", _ONE, t.INT, _part(0)),
        _asking("minor", "semver_minor", _ONE, t.INT, _part(1)),
        _asking("patch", "semver_patch", _ONE, t.INT, _part(2)),
    ),
)
