"""
Macros: calls that the parser replaces by other trees.

Sources: cel-go's parser/macro.go, cel/library.go (optional types), ext/bindings.go, ext/comprehensions.go and
ext/lists.go, whose trees decide the costs of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from fairlead_schema.cel.ast import Call, Comprehension, Expr, Ident, ListLiteral, Select
from fairlead_schema.cel.building import ACCUMULATOR, Builder

Expander = Callable[[Builder, Expr, tuple[Expr, ...]], Expr | None]
Key = tuple[str, int, bool]
"""Name, number of arguments, whether it is called on a target."""

_UNUSED = "#unused"
_SORTED = "@__sortBy_input__"


class MacroError(ValueError):
    """Arguments with which a macro cannot be expanded; ``at`` is the argument's offset."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


def macros_for(names: Collection[str]) -> Mapping[Key, Expander]:
    """Return CEL's own macros, and those of libraries by their names."""
    chosen = dict(_STANDARD)
    for name in names:
        chosen.update(_LIBRARY[name])
    return chosen


def _has(make: Builder, _: Expr, arguments: tuple[Expr, ...]) -> Expr:
    field = arguments[0]
    if not isinstance(field, Select):
        raise MacroError(field.at, "invalid argument to has() macro")
    return make.present(field.operand, field.field)


def _variable(argument: Expr, message: str) -> str:
    if not isinstance(argument, Ident):
        raise MacroError(argument.at, message)
    return argument.name


def _free(argument: Expr, name: str) -> None:
    if name in (ACCUMULATOR, "__result__"):
        raise MacroError(argument.at, "iteration variable overwrites accumulator variable")


def _variables(arguments: tuple[Expr, ...], count: int, message: str) -> tuple[str, str]:
    names = [_variable(argument, message) for argument in arguments[:count]]
    if count == 2 and names[0] == names[1]:
        raise MacroError(arguments[1].at, f"duplicate variable name: {names[0]}")
    for argument, name in zip(arguments, names, strict=False):
        _free(argument, name)
    return names[0], names[1] if count == 2 else ""


def _all(count: int) -> Expander:
    def expand(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
        variables = _variables(arguments, count, "argument must be a simple name")
        condition = make.call("@not_strictly_false", make.ident())
        step = make.call("_&&_", make.ident(), arguments[count])
        return make.fold(target, variables, make.const(value=True), condition, step, make.ident())

    return expand


def _exists(count: int) -> Expander:
    def expand(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
        variables = _variables(arguments, count, "argument must be a simple name")
        condition = make.call("@not_strictly_false", make.call("!_", make.ident()))
        step = make.call("_||_", make.ident(), arguments[count])
        return make.fold(target, variables, make.const(value=False), condition, step, make.ident())

    return expand


def _exists_one(count: int) -> Expander:
    def expand(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
        variables = _variables(arguments, count, "argument must be a simple name")
        more = make.call("_+_", make.ident(), make.const(1))
        step = make.call("_?_:_", arguments[count], more, make.ident())
        result = make.call("_==_", make.ident(), make.const(1))
        return make.fold(target, variables, make.const(0), make.const(value=True), step, result)

    return expand


def _filter(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
    variables = _variables(arguments, 1, "argument is not an identifier")
    more = make.call("_+_", make.ident(), make.list(arguments[0]))
    step = make.call("_?_:_", arguments[1], more, make.ident())
    return make.fold(target, variables, make.list(), make.const(value=True), step, make.ident())


def _list(count: int, message: str) -> Expander:
    """Return ``map`` and ``transformList``: variables, perhaps a filter, and what to put into the list."""

    def expand(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
        variables = _variables(arguments, count, message)
        step: Expr = make.call("_+_", make.ident(), make.list(arguments[-1]))
        step = _filtered(make, arguments[count:-1], step)
        return make.fold(target, variables, make.list(), make.const(value=True), step, make.ident())

    return expand


def _map(*, entries: bool) -> Expander:
    def expand(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
        variables = _variables(arguments, 2, "argument must be a simple name")
        put = (arguments[-1],) if entries else (make.ident(variables[0]), arguments[-1])
        step = _filtered(make, arguments[2:-1], make.call("cel.@mapInsert", make.ident(), *put))
        return make.fold(target, variables, make.map(), make.const(value=True), step, make.ident())

    return expand


def _filtered(make: Builder, conditions: tuple[Expr, ...], step: Expr) -> Expr:
    return make.call("_?_:_", conditions[0], step, make.ident()) if conditions else step


def _bound(make: Builder, name: str, value: Expr, result: Expr) -> Comprehension:
    """Return ``result`` with ``name`` for ``value``: a fold over nothing whose accumulator is the name."""
    return make.fold(
        make.list(),
        (_UNUSED, ""),
        value,
        make.const(value=False),
        make.ident(name),
        result,
        accumulator=name,
    )


def _bind(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr | None:
    if not (isinstance(target, Ident) and target.name == "cel"):
        return None
    name = _variable(arguments[0], "cel.bind() variable names must be simple identifiers")
    return _bound(make, name, arguments[1], arguments[2])


def _optional(macro: str) -> Expander:
    def expand(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr:
        name = _variable(arguments[0], f"{macro}() variable name must be a simple identifier")
        value = make.call("value", target=make.copy(target))
        result: Expr = _bound(make, name, value, arguments[1])
        if macro == "optMap":
            result = make.call("optional.of", result)
        return make.call("_?_:_", make.call("hasValue", target=target), result, make.call("optional.none"))

    return expand


def _sort_by(make: Builder, target: Expr, arguments: tuple[Expr, ...]) -> Expr | None:
    if not isinstance(target, ListLiteral | Select | Ident | Comprehension | Call):
        message = "sortBy can only be applied to a list, identifier, comprehension, call or select expression"
        raise MacroError(target.at, message)
    keys = _list(1, "argument is not an identifier")(make, make.ident(_SORTED), arguments)
    if keys is None:
        return None
    ordered = make.call("@sortByAssociatedKeys", keys, target=make.ident(_SORTED))
    return make.fold(
        make.list(),
        (_UNUSED, ""),
        target,
        make.const(value=False),
        make.ident(_SORTED),
        ordered,
        accumulator=_SORTED,
    )


_STANDARD: Mapping[Key, Expander] = {
    ("has", 1, False): _has,
    ("all", 2, True): _all(1),
    ("exists", 2, True): _exists(1),
    ("exists_one", 2, True): _exists_one(1),
    ("map", 2, True): _list(1, "argument is not an identifier"),
    ("map", 3, True): _list(1, "argument is not an identifier"),
    ("filter", 2, True): _filter,
}
_TRANSFORM_LIST = _list(2, "argument must be a simple name")
_LIBRARY: Mapping[str, Mapping[Key, Expander]] = {
    "cel.bind": {("bind", 3, True): _bind},
    "optMap": {("optMap", 2, True): _optional("optMap")},
    "optFlatMap": {("optFlatMap", 2, True): _optional("optFlatMap")},
    "sortBy": {("sortBy", 2, True): _sort_by},
    "all": {("all", 3, True): _all(2)},
    "exists": {("exists", 3, True): _exists(2)},
    "existsOne": {("existsOne", 3, True): _exists_one(2)},
    "exists_one": {("exists_one", 3, True): _exists_one(2)},
    "transformList": {("transformList", count, True): _TRANSFORM_LIST for count in (3, 4)},
    "transformMap": {("transformMap", count, True): _map(entries=False) for count in (3, 4)},
    "transformMapEntry": {("transformMapEntry", count, True): _map(entries=True) for count in (3, 4)},
}
