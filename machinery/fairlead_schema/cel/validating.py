"""
What Kubernetes refuses in expressions whose types are right.

Source: cel-go's cel/validator.go; k8s.io/apiserver's pkg/cel/environment/base.go turns these on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import Call, Const, Expr, Issue, ListLiteral, MapLiteral, walk
from fairlead_schema.cel.conversions import refuse_duration, timestamp_of, to_duration, to_timestamp
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.format_calls import FUNCTION, OVERLOAD, check_format
from fairlead_schema.cel.scopes import functions_of
from fairlead_schema.cel.types import AnyType
from fairlead_schema.cel.unifying import is_exact, shown, unwrapped
from fairlead_schema.cel.values import EvaluationError, Value
from fairlead_schema.patterns import BadPattern, compile_pattern

Check = Callable[[Sequence[Value]], str]


def validate(root: Expr, types: Mapping[int, AnyType], environment: Environment) -> tuple[Issue, ...]:
    """
    Return what is wrong with literals: arguments that no call can take, and lists and maps of mixed types.

    What is given to ``format`` may be of mixed types.

    Args:
        root: The tree with full names.
        types: Of its nodes, by number.
        environment: Its libraries may check arguments of their own functions.
    """
    checks = dict(_CHECKS)
    for library in environment.libraries:
        checks.update(library.check)
    formats = _formats(environment)
    mixed_freely: set[int] = set()
    issues: list[Issue] = []
    for node in walk(root):
        match node:
            case Call() if node.function in checks and node.arguments:
                issues += _argument(node, checks[node.function])
            case Call() if formats and node.function == FUNCTION:
                if node.number not in mixed_freely:
                    mixed_freely |= {below.number for below in walk(node)}
                if node.target is not None and node.arguments:
                    issues += check_format(node, types)
            case ListLiteral() if node.number not in mixed_freely:
                issues += _list(node, types)
            case MapLiteral() if node.number not in mixed_freely:
                issues += _map(node, types)
    return tuple(issues)


def _formats(environment: Environment) -> bool:
    function = functions_of(environment.libraries).get(FUNCTION)
    return function is not None and any(overload.id == OVERLOAD for overload in function.overloads)


def _argument(call: Call, check: Check) -> Iterator[Issue]:
    """Check the literals with which the arguments begin."""
    given: list[Value] = []
    for argument in call.arguments:
        if not isinstance(argument, Const):
            break
        given.append(argument.value)
    message = check(given) if given else ""
    if message:
        yield Issue(call.arguments[0].at, message)


def _converts(function: str, *conversions: tuple[type, Callable[[Value], Value]]) -> Check:
    def check(given: Sequence[Value]) -> str:
        for of, convert in conversions:
            if type(given[0]) is of:
                try:
                    convert(given[0])
                except (EvaluationError, BadPattern):
                    return f"invalid {function} argument"
        return ""

    return check


_CHECKS: Mapping[str, Check] = {
    "duration": _converts("duration", (str, to_duration), (int, refuse_duration)),
    "timestamp": _converts("timestamp", (str, to_timestamp), (int, timestamp_of)),
    "matches": _converts("matches", (str, compile_pattern)),
}


def _mixed(node: Expr, expected: AnyType, found: AnyType) -> Iterator[Issue]:
    if not is_exact(expected, found):
        yield Issue(node.at, f"expected type '{shown(expected)}' but found '{shown(found)}'")


def _held(of: AnyType, *, optional: bool) -> AnyType:
    """Return what an optional element holds; cel-go breaks down where that is not known."""
    held, is_optional = unwrapped(of)
    return (held if is_optional else t.DYN) if optional else of


def _list(node: ListLiteral, types: Mapping[int, AnyType]) -> list[Issue]:
    expected: AnyType | None = None
    for index, element in enumerate(node.elements):
        of = _held(types[element.number], optional=index in node.optional)
        issues = [] if expected is None else [*_mixed(element, expected, of)]
        if issues:
            return issues
        expected = expected or of
    return []


def _map(node: MapLiteral, types: Mapping[int, AnyType]) -> list[Issue]:
    issues: list[Issue] = []
    expected: tuple[AnyType, AnyType] | None = None
    for entry in node.entries:
        key = types[entry.key.number]
        value = _held(types[entry.value.number], optional=entry.optional)
        if expected is None:
            expected = key, value
            continue
        issues += _mixed(entry.key, expected[0], key)
        issues += _mixed(entry.value, expected[1], value)
    return issues
