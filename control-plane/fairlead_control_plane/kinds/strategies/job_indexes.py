"""
Lists of the indexes of a Job's pods, ``1,3-5,7``.

Source: k8s.io/kubernetes/pkg/apis/batch/validation/validation.go (validateIndexesFormat and below).
"""

from __future__ import annotations

import re

from fairlead_api.field_errors import quoted

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


class IndexesError(ValueError):
    """A list of indexes is malformed; the text is Kubernetes' own."""


def count_indexes(text: str, completions: int) -> int:
    """
    Return how many indexes a list names.

    Raises:
        IndexesError: It is malformed, out of order, or names an index that is not below ``completions``.
    """
    last: int | None = None
    total = 0
    for part in text.split(",") if text else ():
        first, end = _interval(part, completions)
        if last is not None and last >= first:
            raise IndexesError(f"non-increasing order, previous: {last}, current: {first}")
        total, last = total + end - first + 1, end
    return total


def overlap(one: str, other: str, completions: int) -> int | None:
    """Return the first index that two lists share, what is malformed in them left out; None when there is none."""
    first, second = _intervals(one, completions), _intervals(other, completions)
    while first and second:
        (low, high), (its_low, its_high) = first[0], second[0]
        if low <= its_high and its_low <= high:
            return max(low, its_low)
        del (first if low <= its_low else second)[0]
    return None


def _intervals(text: str, completions: int) -> list[tuple[int, int]]:
    found = []
    for part in text.split(",") if text else ():
        try:
            found.append(_interval(part, completions))
        except IndexesError:
            continue
    return found


def _interval(text: str, completions: int) -> tuple[int, int]:
    parts = text.split("-")
    if len(parts) > 2:
        raise IndexesError(
            f"the fragment {quoted(text)} violates the requirement that an index interval can have at most two parts "
            "separated by '-'"
        )
    numbers = [_index(part, completions) for part in parts]
    if len(numbers) == 2 and numbers[0] >= numbers[1]:
        raise IndexesError(f"non-increasing order, previous: {numbers[0]}, current: {numbers[1]}")
    return numbers[0], numbers[-1]


def _index(text: str, completions: int) -> int:
    if not _INTEGER.fullmatch(text) or len(text) > 18:
        raise IndexesError(f"cannot convert string to integer for index: {quoted(text)}")
    if int(text) >= completions:
        raise IndexesError(f"too large index: {quoted(text)}")
    return int(text)
