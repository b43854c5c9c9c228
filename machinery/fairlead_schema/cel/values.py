"""
Values at run time: Python's own where there is one, and these where there is none.

==========  =========================================================
CEL         Python
==========  =========================================================
null        ``None``
bool        ``bool``
int         ``int`` (64 bits; overflow is an error)
uint        :class:`UInt`
double      ``float``
string      ``str``
bytes       ``bytes``
list        ``list``
map         ``dict`` (key ``1`` and ``1u`` are equal, ``true`` and ``1`` are not: see ``maps``)
message     ``dict`` (an object of a schema, as it is in JSON)
duration    :class:`Duration`
timestamp   :class:`Timestamp`
type        :class:`fairlead_schema.cel.types.Type`
optional    :class:`Optional`
==========  =========================================================

What a library adds (quantities, addresses, URLs) are classes of that library, all of them :class:`LibraryValue`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from fairlead_schema.cel.types import Type

Value = Any
"""A CEL value; see the module's table."""


class UInt(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds, 64 bits."""

    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """
    A moment: seconds since 1970-01-01T00:00:00Z and nanoseconds of that second.

    ``offset`` is the zone it was written in, in seconds east of UTC: ``string(timestamp)`` shows it, nothing else does.
    """

    seconds: int
    nanoseconds: int = 0
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Optional:
    """``optional.of(value)``, or ``optional.none()`` with ``present`` false."""

    value: Value = None
    present: bool = False


NONE = Optional()


class LibraryValue:
    """
    A value of a type that a library adds.

    Attributes:
        cel_type: What ``type(value)`` gives.
    """

    __slots__ = ()
    cel_type: ClassVar[Type]

    def equals(self, other: Value) -> bool:
        """
        Return what ``self == other`` gives, with this value on the left; on the right of another kind it is unequal.

        Raises:
            EvaluationError: ``no such overload``, as cel-go says where the other is not of the same kind.
        """
        if type(other) is not type(self):
            raise EvaluationError("no such overload")
        return bool(self == other)


class EvaluationError(Exception):
    """
    An expression could not be evaluated; the text is cel-go's (``no such key: a``, ``division by zero``).

    ``cost`` is what had been spent by then, when a program raises it.
    """

    cost: int = 0


class CostExceeded(EvaluationError):
    """An evaluation cost more than it may."""
