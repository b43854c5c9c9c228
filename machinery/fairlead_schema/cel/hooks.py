"""What compiled expressions call: the names that their code may use."""

from __future__ import annotations

import math
from collections.abc import Mapping

from fairlead_schema.cel import templates
from fairlead_schema.cel.kinds import GrowingMap
from fairlead_schema.cel.nodes import settled
from fairlead_schema.cel.ordering import ABSENT, find
from fairlead_schema.cel.paths import MOST_COPIED
from fairlead_schema.cel.templates import Unusual
from fairlead_schema.cel.values import NONE, CostExceeded, Value


def _exceed(cost: int) -> None:
    error = CostExceeded("operation cancelled: actual cost limit exceeded")
    error.cost = cost
    raise error


def _copied(before: int, values: list[Value], cost: int) -> int:
    """Count elements that were copied though it costs nothing."""
    if before + len(values) > MOST_COPIED:
        _exceed(cost)
    return before + len(values)


def _pick(held: Value, key: Value) -> Value:
    """Return what a value of unknown type holds by a key of unknown type, when that is plain."""
    if type(held) is dict:
        found = find(held, key)
        if found is not ABSENT:
            return found
    elif type(held) is list and type(key) is int and 0 <= key < len(held):
        return held[key]
    raise Unusual


GLOBALS: Mapping[str, Value] = {
    "__builtins__": {"len": len, "enumerate": enumerate, "min": min},
    "ABSENT": ABSENT,
    "NONE": NONE,
    "Unusual": Unusual,
    "GrowingMap": GrowingMap,
    "ceil": math.ceil,
    "copied": _copied,
    "exceed": _exceed,
    "find": find,
    "pick": _pick,
    "settled": settled,
    **templates.GLOBALS,
}
