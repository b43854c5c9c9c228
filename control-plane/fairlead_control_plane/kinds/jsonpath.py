r"""
The JSONPath of printer columns and scale paths: ``.a.b``, ``.a\.b``, ``['a']``, ``[0]``, ``[-1]``, ``[*]``, filters.

Source: k8s.io/client-go/util/jsonpath, as far as CRDs may use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)          # .name, with \. for a dot inside
      | \[\s*+(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*+\]
      | \[\s*+(?P<index>-?\d++)\s*+\]
      | \[\s*+(?P<all>\*)\s*+\]
      | \[\s*+(?P<low>-?\d*+)\s*+:\s*+(?P<high>-?\d*+)\s*+\]
      | \[\?\(\s*+@(?P<left>[^=!<>\s]*)\s*+(?:(?P<op>==|!=|<=|>=|<|>)(?P<right>[^)]*+))?\)\]
    """,
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
    "<=": lambda a, b: bool(a <= b),
    ">=": lambda a, b: bool(a >= b),
}


class PathError(ValueError):
    """The path is not one of the forms above."""


def find(path: str, value: Any) -> list[Any]:
    """
    Return all values at a path, in order; empty when there are none.

    Raises:
        PathError: The path cannot be read.
    """
    found = [value]
    for step in compiled(path):
        found = [item for one in found for item in step(one)]
        if not found:
            break
    return found


@lru_cache(maxsize=4096)
def compiled(path: str) -> tuple[Step, ...]:
    """Return a path's steps."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = "." + text
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise PathError(f"cannot read {path!r} from {text[position:]!r}")
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["name"] is not None:
        name = re.sub(r"\\(.)", r"\1", match["name"])
        return _every if name == "*" else _field(name)
    if match["quoted"] is not None:
        return _field(re.sub(r"\\(.)", r"\1", match["quoted"]))
    if match["index"] is not None:
        return _item(int(match["index"]))
    if match["all"]:
        return _every
    if match["low"] is not None:
        return _slice(match["low"], match["high"])
    return _filter(match["left"], match["op"], match["right"])


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if type(value) is dict and value.get(name) is not None:
            yield value[name]

    return step


def _item(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if type(value) is list and -len(value) <= index < len(value):
            yield value[index]

    return step


def _every(value: Any) -> Iterator[Any]:
    if type(value) is list:
        yield from value
    elif type(value) is dict:
        yield from value.values()


def _slice(low: str, high: str) -> Step:
    part = slice(int(low) if low else None, int(high) if high else None)

    def step(value: Any) -> Iterator[Any]:
        if type(value) is list:
            yield from value[part]

    return step


def _filter(left: str, operator: str | None, right: str | None) -> Step:
    path = compiled(left)
    wanted = _literal(right or "")

    def step(value: Any) -> Iterator[Any]:
        for item in value if type(value) is list else ():
            found = [item]
            for inner in path:
                found = [one for each in found for one in inner(each)]
            if operator is None:
                if found:
                    yield item
            elif found and _matches(operator, found[0], wanted):
                yield item

    return step


def _matches(operator: str, value: Any, wanted: Any) -> bool:
    try:
        return _COMPARE[operator](value, wanted)
    except TypeError:
        return False


def _literal(text: str) -> Any:
    text = text.strip()
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        return text[1:-1]
    if text in {"true", "false"}:
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text
