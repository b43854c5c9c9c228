"""
What a schema finds wrong with an object after an update, less what was wrong before and did not change.

A problem is let pass when the value it is about, or one that holds that value, is what it was: so that a schema may
become stricter than the objects that are there.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/validation/ratcheting.go; KEP-4008.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_schema.causes import Problem
from fairlead_schema.correlation import Pair

_TYPE_FIELDS = frozenset({"apiVersion", "kind"})


def remaining(problems: Sequence[Problem], pair: Pair) -> list[Problem]:
    """Return the problems that an update is refused for; ``pair`` is the whole object and what it was."""
    if not problems or pair.same:
        return []
    return [problem for problem in problems if not _is_old(problem.suffix, pair, is_root=True)]


def _is_old(path: str, pair: Pair, *, is_root: bool = False) -> bool:
    """Tell whether a value on the way to ``path`` (``.spec.ports[0].name``), below the pair, did not change."""
    below, rest = _step(path, pair, is_root=is_root)
    return below is not None and (below.same or _is_old(rest, below))


def _step(path: str, pair: Pair, *, is_root: bool) -> tuple[Pair | None, str]:
    """Return the pair one step down, and what is left of the path; None where the way ends."""
    if path.startswith("[") and isinstance(pair.new, list):
        place, _, rest = path[1:].partition("]")
        return (pair.index(int(place)), rest) if place.isdigit() else (None, "")
    if not path.startswith(".") or not isinstance(pair.new, dict):
        return None, ""
    # Entries of a map may have dots in their names: the longest name that fits is meant.
    fitting = [name for name in pair.new if path == f".{name}" or path.startswith((f".{name}.", f".{name}["))]
    if not fitting:
        return None, ""
    name = max(fitting, key=len)
    if is_root and name in _TYPE_FIELDS:
        return None, ""
    return pair.key(name), path[len(name) + 1 :]
