"""
From a checked tree to nodes that can be evaluated.

What cel-go folds beforehand is folded here, because it costs nothing then: lists and maps of constants, conversions of
constants, ``in`` with a list of constants. Source: cel-go interpreter/planner.go and decorators.go (OptOptimize).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod

from fairlead_schema.cel import ast
from fairlead_schema.cel import types as t
from fairlead_schema.cel.checker import Checked
from fairlead_schema.cel.declarations import Coster, Environment, Overload
from fairlead_schema.cel.kinds import kind_of, no_overload, runtime_name
from fairlead_schema.cel.nodes import (
    MAP_COST,
    STRUCT_COST,
    Call,
    Constant,
    Fold,
    Logic,
    MakeList,
    MakeMap,
    MakeObject,
    Member,
    Otherwise,
)
from fairlead_schema.cel.objects import MadeType
from fairlead_schema.cel.ordering import equal, unequal
from fairlead_schema.cel.paths import Choice, Computed, Key, Meter, Name, Node, Path
from fairlead_schema.cel.schema_values import Equal, converter, equality, field_converter, join
from fairlead_schema.cel.standard_costs import equality_cost
from fairlead_schema.cel.types import AnyType, ListType, ObjectType, Type
from fairlead_schema.cel.values import EvaluationError, UInt, Value
from fairlead_schema.patterns import BadPattern, compile_pattern

CONVERSIONS = frozenset(("bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"))
_SINGLE = frozenset(
    (
        "_+_",
        "_-_",
        "_*_",
        "_/_",
        "_%_",
        "-_",
        "!_",
        "_<_",
        "_<=_",
        "_>_",
        "_>=_",
        "@in",
        "size",
        "type",
        "matches",
        "dyn",
    )
)
"""Operators and functions with one implementation for all forms, which gets whatever there is."""
_UNGUARDED = frozenset(("contains", "startsWith", "endsWith"))
_PLAIN = frozenset((bool, int, UInt, float, str))
_FREE = 2**64


class PlanError(ValueError):
    """A constant part of an expression that cannot be computed; cel-go refuses the program."""


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of an environment: by name, with the overloads that all libraries add."""

    by_name: Mapping[str, tuple[Overload, ...]]
    costs: Mapping[str, Coster]

    @classmethod
    def of(cls, environment: Environment) -> Functions:
        """Gather them."""
        by_name: dict[str, tuple[Overload, ...]] = {}
        costs: dict[str, Coster] = {}
        for library in environment.libraries:
            for function in library.functions:
                by_name[function.name] = by_name.get(function.name, ()) + function.overloads
                if function.cost is not None:
                    costs[function.name] = function.cost
        return cls(by_name, costs)

    def chosen(self, name: str, ids: Sequence[str]) -> tuple[Overload, ...]:
        """Return a function's overloads of these ids, or all when none is named."""
        return tuple(overload for overload in self.by_name.get(name, ()) if not ids or overload.id in ids)


def fits(kind: AnyType, value: Value) -> bool:
    """Tell whether an argument is of a type, so far as cel-go looks: at the first element of lists and maps."""
    if isinstance(kind, t.Parameter) or kind.name == "dyn":
        return True
    if runtime_name(kind) != runtime_name(kind_of(value)):
        return False
    if isinstance(value, list) and value and kind.parameters:
        return fits(kind.parameters[0], value[0])
    if isinstance(value, dict) and value and len(kind.parameters) == 2:
        key, held = next(iter(value.items()))
        return fits(kind.parameters[0], key) and fits(kind.parameters[1], held)
    return True


def dispatch(name: str, overloads: Sequence[Overload]) -> Callable[..., Value]:
    """Return what calls the first overload whose types fit."""
    if name in _SINGLE or (name in _UNGUARDED and len(overloads) == 1):
        call = overloads[0].call
        assert call is not None
        return call

    def invoke(*values: Value) -> Value:
        for overload in overloads:
            if len(values) == len(overload.arguments) and all(map(fits, overload.arguments, values)):
                assert overload.call is not None
                return overload.call(*values)
        raise no_overload(name, *values)

    return invoke


def effective(tree: ast.Expr, types: Mapping[int, AnyType]) -> AnyType | None:
    """Return the type of an expression, keeping that a list is a set or a map through ``+`` and conditions."""
    kind = types.get(tree.number)
    if isinstance(tree, ast.Call) and tree.function in ("_+_", "_?_:_"):
        inner = effective(tree.arguments[-1 if tree.function == "_?_:_" else 0], types)
        if isinstance(inner, ListType):
            return inner
    return kind


def bare(kind: AnyType | None) -> AnyType | None:
    """Return the type that an optional holds, or the type itself."""
    if isinstance(kind, Type) and kind.name == "optional_type" and kind.parameters:
        return kind.parameters[0]
    return kind


class Planner:
    """Makes nodes of one checked tree."""

    def __init__(self, checked: Checked, functions: Functions) -> None:
        self._types = checked.types
        self._references = checked.references
        self._functions = functions
        self.constants: dict[int, Value] = {}
        """What was computed beforehand, by the number of the node that it is the value of."""

    def plan(self, tree: ast.Expr) -> Node:
        """
        Return the node of a tree.

        Raises:
            PlanError: A constant part cannot be computed.
        """
        node = self._plan(tree)
        if isinstance(node, Constant):
            self.constants[tree.number] = node.value
        return node

    @singledispatchmethod
    def _plan(self, tree: ast.Expr) -> Node:
        raise TypeError(type(tree).__name__)

    @_plan.register
    def _(self, tree: ast.Const) -> Node:
        return Constant(tree.value)

    @_plan.register
    def _(self, tree: ast.Ident) -> Node:
        return self._name(tree, tree.name)

    def _name(self, tree: ast.Ident | ast.Select, name: str) -> Node:
        reference = self._references.get(tree.number)
        kind = self._types.get(tree.number)
        if isinstance(kind, Type) and kind.name == "type" and kind.parameters:
            return Constant(kind.parameters[0])
        return Path(Name(reference.name if reference is not None else name, converter(kind)))

    def path(self, tree: ast.Expr) -> Path:
        """Return the node of a tree as a path that keys can be added to."""
        node = self.plan(tree)
        return node if isinstance(node, Path) else Path(Computed(node))

    @_plan.register
    def _(self, tree: ast.Select) -> Node:
        if tree.number in self._references:
            return self._name(tree, tree.field)
        path = self.path(tree.operand)
        path.append(self._field(tree.operand, tree.number, tree.field, test=tree.test))
        path.test = path.test or tree.test
        return path

    def _field(self, operand: ast.Expr, number: int, name: str, *, test: bool = False, optional: bool = False) -> Key:
        owner = bare(self._types.get(operand.number))
        declared = owner.fields.get(name) if isinstance(owner, ObjectType) else None
        convert = field_converter(declared) if declared else converter(bare(self._types.get(number)))
        return Key(name, declared.name if declared else None, convert, optional, test)

    @_plan.register
    def _(self, tree: ast.Call) -> Node:
        if tree.function == "_?_:_":
            condition, yes, no = tree.arguments
            return Path(Choice(self.plan(condition), self._branch(yes), self._branch(no)))
        if tree.function in ("_[_]", "_[?_]", "_?._"):
            return self._index(tree, optional=tree.function != "_[_]")
        if tree.function in ("_&&_", "_||_"):
            left, right = map(self.plan, tree.arguments)
            return Logic(tree.function == "_||_", (left, right))
        if tree.target is not None and tree.function in ("or", "orValue") and len(tree.arguments) == 1:
            return Otherwise(self.plan(tree.target), self.plan(tree.arguments[0]), tree.function == "orValue")
        return self._call(tree)

    def _branch(self, tree: ast.Expr) -> Path:
        path = self.path(tree)
        path.test = False
        return path

    def _index(self, tree: ast.Call, *, optional: bool) -> Node:
        operand, index = tree.arguments
        path = self.path(operand)
        node = self.plan(index)
        if isinstance(node, Constant):
            if isinstance(node.value, str) and tree.function == "_?._":
                path.append(self._field(operand, tree.number, node.value, optional=True))
                return path
            key = node.value
        else:
            key = node if isinstance(node, Path) else Path(Computed(node))
        path.append(Key(key, None, converter(bare(self._types.get(tree.number))), optional))
        return path

    def _call(self, tree: ast.Call) -> Node:
        trees = tree.arguments if tree.target is None else (tree.target, *tree.arguments)
        arguments = [self.plan(argument) for argument in trees]
        if tree.function in ("_==_", "_!=_"):
            return Call(arguments, self.invoke(tree), self.cost(tree), eager=True)
        if tree.function == "@not_strictly_false":
            return Call(arguments, lambda value: value if type(value) is bool else True, _one, eager=True, lax=True)
        only = self.only(tree)
        eager = len(arguments) <= 2 and (only is not None or tree.function in _SINGLE)
        if tree.function in ("matches", "find", "findAll") and isinstance(arguments[1], Constant):
            eager = False
        if tree.function == "format":
            eager = False  # cel-go binds it as if it took any number of arguments
        node = Call(arguments, self.invoke(tree), self.cost(tree), eager, copies=tree.function == "_+_")
        return self._folded(tree.function, only, node)

    def _ids(self, tree: ast.Call) -> Sequence[str]:
        reference = self._references.get(tree.number)
        return () if reference is None else reference.overloads

    def only(self, tree: ast.Call) -> Overload | None:
        """Return the overload that a call means, None when its arguments' types leave several."""
        ids = self._ids(tree)
        found = self._functions.chosen(tree.function, ids) if len(ids) == 1 else ()
        return found[0] if found else None

    def invoke(self, tree: ast.Call) -> Callable[..., Value]:
        """
        Return what does the work of a call, given the values of its arguments.

        Raises:
            PlanError: There is no such function, or a constant pattern is none.
        """
        if tree.function in ("_==_", "_!=_"):
            return self._equality(tree)
        if tree.function == "matches" and isinstance(pattern := self._literal(tree.arguments[-1]), str):
            return matcher(pattern)
        if tree.function in ("find", "findAll") and isinstance(pattern := self._literal(tree.arguments[0]), str):
            matcher(pattern)  # refuses what is no pattern
        joined = join(effective(tree.arguments[0], self._types)) if tree.function == "_+_" else None
        overloads = self._functions.chosen(tree.function, self._ids(tree))
        if not overloads:
            raise PlanError(f"no such overload: {tree.function}")
        return joined or dispatch(tree.function, overloads)

    def _literal(self, tree: ast.Expr) -> Value:
        """Return the value of a constant part, None of any other."""
        return self.constants.get(tree.number)

    def coster(self, tree: ast.Call) -> Coster | None:
        """Return the run-time cost of a call; None when it is 1."""
        only = self.only(tree)
        return self._functions.costs.get(tree.function) if only is None else only.cost

    def cost(self, tree: ast.Call) -> Callable[[Sequence[Value], Value], int]:
        """Return the run-time cost of a call as a function of the arguments and the result."""
        if tree.function in ("_==_", "_!=_"):
            return _equal_cost if tree.function == "_==_" else _unequal_cost
        coster = self.coster(tree)
        if coster is None:
            return _one
        known: Coster = coster

        def cost(values: Sequence[Value], result: Value) -> int:
            found = known(values, result)
            return 1 if found is None else found

        return cost

    def _folded(self, name: str, only: Overload | None, node: Call) -> Node:
        first = node.arguments[0] if node.arguments else None
        if name in CONVERSIONS and len(node.arguments) == 1 and isinstance(first, Constant):
            value = node.run({}, Meter(_FREE))
            if isinstance(value, EvaluationError):
                raise PlanError(str(value))
            return Constant(value)
        if only is not None and only.id == "in_list" and isinstance(node.arguments[1], Constant):
            return _member(node, node.arguments[1].value)
        return node

    def membership(self, tree: ast.Call) -> Callable[[Value], bool] | None:
        """Return what tells whether a value is in a list of constants; None when that is no such call."""
        only, within = self.only(tree), tree.arguments[1].number
        if only is None or only.id != "in_list" or within not in self.constants:
            return None
        values = self.constants[within]
        return _membership(values) if all(type(value) in _PLAIN for value in values) else None

    def _equality(self, tree: ast.Call) -> Equal:
        same: Equal = equal
        for argument in tree.arguments:
            if same is equal:
                same = equality(effective(argument, self._types))
        return same if tree.function == "_==_" else unequal(same)

    @_plan.register
    def _(self, tree: ast.ListLiteral) -> Node:
        elements = [self.plan(element) for element in tree.elements]
        node = MakeList(elements, tree.optional)
        if all(isinstance(element, Constant) for element in elements):
            return _constant(node)
        return node

    @_plan.register
    def _(self, tree: ast.MapLiteral) -> Node:
        entries = [(self.plan(entry.key), self.plan(entry.value), entry.optional) for entry in tree.entries]
        node = MakeMap(entries, MAP_COST)
        if all(isinstance(key, Constant) and isinstance(value, Constant) for key, value, _ in entries):
            return _constant(node)
        return node

    @_plan.register
    def _(self, tree: ast.StructLiteral) -> Node:
        made = self._types.get(tree.number)
        fields = made.fields if isinstance(made, ObjectType) else {}
        entries: list[tuple[Node, Node, bool]] = []
        for entry in tree.entries:
            name = str(entry.key.value) if isinstance(entry.key, ast.Const) else ""
            declared = fields.get(name)
            key = Constant(declared.name if declared is not None else name)
            entries.append((key, self.plan(entry.value), entry.optional))
        node = MakeMap(entries, STRUCT_COST)
        return MakeObject(node, made) if isinstance(made, MadeType) else node

    @_plan.register
    def _(self, tree: ast.Comprehension) -> Node:
        iterated = self.plan(tree.iterated)
        if isinstance(iterated, Path):
            iterated.apart()
        return Fold(
            tree.variable,
            tree.second,
            iterated,
            tree.accumulator,
            self.plan(tree.initial),
            self.plan(tree.condition),
            self.plan(tree.step),
            self.plan(tree.result),
        )


def _constant(node: Node) -> Node:
    value = node.run({}, Meter(_FREE))
    if isinstance(value, EvaluationError):
        raise PlanError(str(value))
    return Constant(value)


def matcher(pattern: Value) -> Callable[..., Value]:
    """
    Return what finds a constant pattern in a text.

    Raises:
        PlanError: It is no pattern.
    """
    try:
        search = compile_pattern(pattern).search
    except BadPattern as error:
        raise PlanError(str(error)) from error

    def found(text: Value, _pattern: Value) -> bool:
        if type(text) is not str:
            raise EvaluationError("no such overload")
        return search(text) is not None

    return found


def _member(node: Call, values: Sequence[Value]) -> Node:
    if not values:
        return Constant(False)
    return Member(node.arguments[0], _membership(values)) if all(type(value) in _PLAIN for value in values) else node


def _membership(values: Sequence[Value]) -> Callable[[Value], bool]:
    """Return whether a value is one of these, looked up by hash."""
    booleans = {value for value in values if type(value) is bool}
    others = {value for value in values if type(value) is not bool}

    def contains(value: Value) -> bool:
        if type(value) is bool:
            return value in booleans
        return type(value) in _PLAIN and value in others

    return contains


def _one(_values: Sequence[Value], _result: Value) -> int:
    return 1


def _equal_cost(values: Sequence[Value], _result: Value) -> int:
    return 1 if hasattr(values[0], "cel_type") else equality_cost(values[0], values[1])


def _unequal_cost(values: Sequence[Value], _result: Value) -> int:
    return equality_cost(values[0], values[1])
