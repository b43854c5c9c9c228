"""
What an expression can cost at most, before it is run.

The least and the most are carried up the tree, with the sizes of what is computed; a comprehension costs its body times
the size of what it goes through. Kubernetes refuses rules by this number, so it is cel-go's to the digit.

Source: cel-go checker/cost.go, k8s.io/apiserver/pkg/cel/library/cost.go (equality).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import singledispatchmethod

from fairlead_schema.cel import ast
from fairlead_schema.cel import types as t
from fairlead_schema.cel.checker import Checked
from fairlead_schema.cel.declarations import MOST, CallEstimate, Sized, Span
from fairlead_schema.cel.nodes import LIST_COST, MAP_COST, STRUCT_COST
from fairlead_schema.cel.planner import Functions
from fairlead_schema.cel.standard_costs import ONE, STRING_FACTOR, estimate_equality
from fairlead_schema.cel.types import AnyType, ObjectType

Sizes = Callable[[tuple[str, ...]], int | None]
"""The longest that is at a path of variables (``("self", "items", "@items")``); None when the path leads nowhere."""

NONE, UNKNOWN = Span(0, 0), Span(0, MOST)
_SCALARS = frozenset(kind.name for kind in (t.BOOL, t.DOUBLE, t.DURATION, t.INT, t.TIMESTAMP, t.UINT))
_ACCUMULATORS = frozenset(("__result__", "@result"))
_ONE_TO_COMPARE = frozenset(("net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver"))
_AUTHORIZATION = "kubernetes.authorization."
_LONGEST_FORMAT = 64


@dataclass(frozen=True, slots=True)
class _Entries:
    """Sizes of what a list (``listed``) or a map holds."""

    listed: bool
    key: Span
    value: Span


@dataclass(frozen=True, slots=True)
class _Local:
    """A variable of a comprehension."""

    path: tuple[str, ...]
    size: Span | None
    entries: _Entries | None


def estimate(checked: Checked, functions: Functions, sizes: Sizes | None = None) -> Span:
    """
    Return the least and the most that a checked expression can cost.

    Args:
        sizes: Of variables; without it they may be of any size.
    """
    return _Estimate(checked, functions, sizes).cost(checked.source.root)


class _Estimate:
    def __init__(self, checked: Checked, functions: Functions, sizes: Sizes | None) -> None:
        self._types = checked.types
        self._references = checked.references
        self._functions = functions
        self._limits = sizes
        self._paths: dict[int, tuple[str, ...]] = {}
        self._sizes: dict[int, Span] = {}
        self._entries: dict[int, _Entries] = {}
        self._locals: dict[str, list[_Local]] = {}

    @singledispatchmethod
    def cost(self, tree: ast.Expr) -> Span:
        """Return what evaluating a tree costs; remembers sizes and paths."""
        raise TypeError(type(tree).__name__)

    @cost.register
    def _(self, tree: ast.Const) -> Span:
        return NONE

    @cost.register
    def _(self, tree: ast.Ident) -> Span:
        local = self._local(tree.name)
        self._paths[tree.number] = (tree.name,) if local is None else local.path
        return ONE

    @cost.register
    def _(self, tree: ast.Select) -> Span:
        cost = self.cost(tree.operand)
        if tree.test:
            return cost
        kind = self._types.get(tree.operand.number)
        if isinstance(kind, ObjectType | t.Parameter) or (kind is not None and kind.name == "map"):
            cost += ONE
        self._paths[tree.number] = (*self._path(tree.operand), tree.field)
        return cost

    @cost.register
    def _(self, tree: ast.ListLiteral) -> Span:
        cost = self._sum(self.cost(element) for element in tree.elements)
        sizes = [self._size_or_unknown(element) for element in tree.elements]
        self._entries[tree.number] = _Entries(True, ONE, _widest(sizes))
        return cost + Span(LIST_COST, LIST_COST)

    @cost.register
    def _(self, tree: ast.MapLiteral) -> Span:
        cost = self._sum(self.cost(entry.key) + self.cost(entry.value) for entry in tree.entries)
        keys = [self._size_or_unknown(entry.key) for entry in tree.entries]
        values = [self._size_or_unknown(entry.value) for entry in tree.entries]
        self._entries[tree.number] = _Entries(False, _widest(keys), _widest(values))
        return cost + Span(MAP_COST, MAP_COST)

    @cost.register
    def _(self, tree: ast.StructLiteral) -> Span:
        return self._sum(self.cost(entry.value) for entry in tree.entries) + Span(STRUCT_COST, STRUCT_COST)

    @cost.register
    def _(self, tree: ast.Comprehension) -> Span:
        empty = isinstance(tree.iterated, ast.ListLiteral) and not tree.iterated.elements
        never = isinstance(tree.condition, ast.Const) and tree.condition.value is False
        return self._bind(tree) if empty and never else self._fold(tree)

    def _bind(self, tree: ast.Comprehension) -> Span:
        cost = self.cost(tree.iterated) + self.cost(tree.initial)
        with self._with(tree.accumulator, self._held(tree.initial)):
            cost += self.cost(tree.result)
        self._copy(tree.number, tree.result)
        return cost

    def _fold(self, tree: ast.Comprehension) -> Span:
        cost = self.cost(tree.iterated) + self.cost(tree.initial)
        with self._with(tree.accumulator, self._held(tree.initial)):
            first, second = self._variables(tree)
            with self._with(tree.variable, first), self._with(tree.second, second):
                each = self.cost(tree.condition) + self.cost(tree.step)
            cost += self.cost(tree.result)
        times = self._size_or_unknown(tree.iterated)
        cost += times * each
        if isinstance(tree.initial, ast.Const):
            self._set(tree.number, self._size(tree.initial))
        elif isinstance(tree.initial, ast.ListLiteral | ast.MapLiteral):
            self._sizes[tree.number] = times
            made = self._entry(tree.step)
            if made is not None:
                self._entries[tree.number] = made
        return cost

    def _variables(self, tree: ast.Comprehension) -> tuple[_Local, _Local]:
        """Return the variables of a comprehension; of the second one what does not matter when there is none."""
        path = self._path(tree.iterated)
        entries = self._entry(tree.iterated)
        kind = self._types.get(tree.iterated.number)
        listed = entries.listed if entries is not None else kind is not None and kind.name == "list"
        key = _Local((*path, "@indices" if listed else "@keys"), entries.key if entries else None, None)
        value = _Local((*path, "@items" if listed else "@values"), entries.value if entries else None, None)
        if not tree.second:
            return (value if listed else key), value
        return key, value

    @cost.register
    def _(self, tree: ast.Call) -> Span:
        if tree.function == "dyn":
            cost = ONE + self.cost(tree.arguments[0])
            self._copy(tree.number, tree.arguments[0])
            return cost
        costs = [self.cost(argument) for argument in tree.arguments]
        arguments = [self._sized(argument) for argument in tree.arguments]
        ids = self._overloads(tree)
        if not ids:
            return NONE
        total = NONE
        if tree.target is not None:
            total = self.cost(tree.target)
            arguments.insert(0, self._sized(tree.target))
        cost, size = Span(MOST, 0), None
        for key in ids:
            found = self._call(tree, key, arguments, costs)
            cost = cost.union(found.cost)
            size = self._result_size(tree, key, _union(size, found.size))
        self._set(tree.number, size)
        return total + cost

    def _result_size(self, tree: ast.Call, key: str, size: Span | None) -> Span | None:
        if key in ("index_list", "index_map"):
            held = self._entry(tree.arguments[0])
            size = held.value if held is not None else None
            below = "@items" if key == "index_list" else "@values"
            self._paths[tree.number] = (*self._path(tree.arguments[0]), below)
        return size if size is not None else self._size(tree)

    def _call(self, tree: ast.Call, key: str, arguments: Sequence[Sized], costs: Sequence[Span]) -> CallEstimate:
        """Estimate a call as one of its overloads."""
        spent = self._sum(costs)
        if key in ("logical_and", "logical_or"):
            return CallEstimate(Span(costs[0].least, (costs[0] + costs[1]).most))
        if key == "conditional":
            return self._conditional(tree, costs)
        if key == "add_list" or key in ("add_string", "add_bytes"):
            both = _union_entries(self._entry(tree.arguments[0]), self._entry(tree.arguments[1]))
            if both is not None:
                self._entries[tree.number] = both
        if key in ("equals", "not_equals"):
            left, right = arguments
            found: CallEstimate | None = CallEstimate(_equality(tree.function, left, right))
        else:
            overloads = self._functions.chosen(tree.function, (key,))
            estimator = overloads[0].estimate if overloads else None
            found = estimator(arguments) if estimator is not None else None
        if found is None:
            return CallEstimate(ONE + spent)
        return CallEstimate(found.cost + spent, found.size)

    def _conditional(self, tree: ast.Call, costs: Sequence[Span]) -> CallEstimate:
        _, yes, no = tree.arguments
        both = _union_entries(self._entry(yes), self._entry(no))
        if both is not None:
            self._entries[tree.number] = both
        size = self._size_or_unknown(yes).union(self._size_or_unknown(no))
        return CallEstimate(costs[0] + costs[1].union(costs[2]), size)

    def _overloads(self, tree: ast.Call) -> Sequence[str]:
        reference = self._references.get(tree.number)
        return () if reference is None else reference.overloads

    def _sized(self, tree: ast.Expr) -> Sized:
        path = self._path(tree)
        if path and path[0] in _ACCUMULATORS:
            path = ()
        element = self._limit((*path, "@items")) if path else None
        constant = tree.value if isinstance(tree, ast.Const) else None
        return Sized(self._types.get(tree.number, t.DYN), self._size_or_unknown(tree), path, element, constant)

    def _limit(self, path: tuple[str, ...]) -> Span | None:
        longest = self._limits(path) if path and self._limits is not None else None
        return None if longest is None else Span(0, longest)

    def _size_or_unknown(self, tree: ast.Expr) -> Span:
        size = self._size(tree)
        return UNKNOWN if size is None else size

    def _size(self, tree: ast.Expr) -> Span | None:
        known = self._sizes.get(tree.number) or _own_size(tree)
        if known is not None:
            return known
        limit = self._limit(self._path(tree))
        if limit is not None:
            self._sizes[tree.number] = limit
            return limit
        if _is_scalar(self._types.get(tree.number)):
            return ONE
        local = self._local(tree.name) if isinstance(tree, ast.Ident) else None
        return None if local is None else local.size

    def _entry(self, tree: ast.Expr) -> _Entries | None:
        found = self._entries.get(tree.number)
        if found is None and isinstance(tree, ast.Ident):
            local = self._local(tree.name)
            return None if local is None else local.entries
        return found

    def _path(self, tree: ast.Expr) -> tuple[str, ...]:
        if isinstance(tree, ast.Ident):
            local = self._local(tree.name)
            if local is not None:
                return local.path
        return self._paths.get(tree.number, ())

    def _local(self, name: str) -> _Local | None:
        stack = self._locals.get(name)
        return stack[-1] if stack else None

    @contextmanager
    def _with(self, name: str, local: _Local) -> Iterator[None]:
        stack = self._locals.setdefault(name, [])
        stack.append(local)
        yield
        stack.pop()

    def _held(self, tree: ast.Expr) -> _Local:
        return _Local(self._path(tree), self._size(tree), self._entry(tree))

    def _set(self, number: int, size: Span | None) -> None:
        if size is not None:
            self._sizes[number] = size

    def _copy(self, number: int, tree: ast.Expr) -> None:
        self._set(number, self._size(tree))
        entries = self._entry(tree)
        if entries is not None:
            self._entries[number] = entries

    def _sum(self, costs: Sequence[Span] | Iterator[Span]) -> Span:
        total = NONE
        for cost in costs:
            total += cost
        return total


def _equality(function: str, left: Sized, right: Sized) -> Span:
    """Estimate ``==`` and ``!=``; Kubernetes knows what ``==`` of its own types costs."""
    name = left.type.name
    if function == "_==_" and left.type == right.type:
        if name in _ONE_TO_COMPARE or name.startswith(_AUTHORIZATION):
            return ONE
        if name == "kubernetes.NamedFormat":
            return Span(1, _LONGEST_FORMAT).by(STRING_FACTOR)
        if name == "kubernetes.URL":
            return Span(1, 1 if right.size == UNKNOWN else right.size.most).by(STRING_FACTOR)
    return estimate_equality(left.size, right.size)


def _widest(sizes: Sequence[Span]) -> Span:
    if not sizes:
        return NONE
    return Span(min(size.least for size in sizes), max(size.most for size in sizes))


def _union(left: Span | None, right: Span | None) -> Span | None:
    if left is None or right is None:
        return left or right
    return left.union(right)


def _union_entries(left: _Entries | None, right: _Entries | None) -> _Entries | None:
    if left is None or right is None:
        return None
    return _Entries(left.listed, left.key.union(right.key), left.value.union(right.value))


def _own_size(tree: ast.Expr) -> Span | None:
    """Return the size of what is written out."""
    size: int | None = None
    if isinstance(tree, ast.Const):
        size = len(tree.value) if isinstance(tree.value, str | bytes) else 1
    elif isinstance(tree, ast.ListLiteral):
        size = len(tree.elements)
    elif isinstance(tree, ast.MapLiteral):
        size = len(tree.entries)
    return None if size is None else Span(size, size)


def _is_scalar(kind: AnyType | None) -> bool:
    if kind is None or isinstance(kind, t.Parameter):
        return False
    if kind.name == "optional_type" and kind.parameters:
        return _is_scalar(kind.parameters[0])
    return kind.name in _SCALARS
