"""
Types of every node, and what every name means.

Source: cel-go's checker/checker.go, with what Kubernetes turns on: numbers of different types compare. That the
elements of a literal are of one type is for ``validating`` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fairlead_schema.cel import kinds
from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import (
    Call,
    CompileError,
    Comprehension,
    Const,
    Entry,
    Expr,
    Ident,
    Issue,
    ListLiteral,
    MapLiteral,
    Select,
    Source,
    StructLiteral,
)
from fairlead_schema.cel.declarations import Environment, Function, Overload
from fairlead_schema.cel.scopes import Scopes
from fairlead_schema.cel.types import AnyType, ObjectType, Parameter, Type
from fairlead_schema.cel.unifying import Bindings, is_dyn, is_exact, kind_of, most_general, shown, unwrapped
from fairlead_schema.cel.validating import validate

LARGEST_TYPE = 2_000
"""Parts a type may have. ``m.map(a, {a: a})`` doubles its type at each turn; cel-go has no bound."""


@dataclass(frozen=True, slots=True)
class Reference:
    """
    What a node refers to.

    Attributes:
        name: The full name of a variable or of a type; "" for calls.
        overloads: Ids of a call's overloads, in the order in which they are tried: several when types are not known.
    """

    name: str = ""
    overloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """
    An expression whose types are right.

    Attributes:
        source: The tree with full names: ``a.b`` that is a variable is an :class:`Ident`, and ``optional.of(x)`` a call
            of the function ``optional.of`` without a target.
        types: By a node's number; without parameters. Names of fields (keys of structs, of ``a.?b``) have none.
        references: By a node's number, of names and calls.
        result: The type of the whole.
    """

    source: Source
    types: Mapping[int, AnyType]
    references: Mapping[int, Reference]
    result: AnyType


def check(source: Source, environment: Environment) -> Checked:
    """
    Return the types of an expression's nodes.

    Raises:
        CompileError: Types do not fit, a name means nothing, or a literal is wrong where it stands; the message is what
            cel-go prints.
    """
    checker = _Checker(environment)
    root = checker.visit(source.root)
    if checker.issues:
        raise CompileError(source.text, tuple(checker.issues))
    types = {number: checker.bindings.final(of) for number, of in checker.types.items()}
    issues = validate(root, types, environment)
    if issues:
        raise CompileError(source.text, issues)
    return Checked(replace(source, root=root), types, checker.references, types[root.number])


class _Checker:
    """Walks a tree; each method returns the node with full names and has noted its type."""

    def __init__(self, environment: Environment) -> None:
        self.bindings = Bindings()
        self.issues: list[Issue] = []
        self.types: dict[int, AnyType] = {}
        self.references: dict[int, Reference] = {}
        self._scopes = Scopes(environment)

    def visit(self, node: Expr) -> Expr:
        """Check a node and all below it."""
        return _VISITS[type(node)](self, node)

    def _visit_all(self, nodes: Sequence[Expr]) -> tuple[Expr, ...]:
        return tuple(self.visit(node) for node in nodes)

    def _wrong(self, at: int, message: str) -> None:
        self.issues.append(Issue(at, message))

    def _type(self, node: Expr) -> AnyType:
        return self.types[node.number]

    def _note(self, node: Expr, of: AnyType) -> None:
        if isinstance(of, Type) and of.parameters and _parts(of) > LARGEST_TYPE:
            self._wrong(node.at, "type of expression is too large")
            of = t.ERROR
        self.types[node.number] = of

    def _assign(self, value: AnyType, to: AnyType) -> bool:
        return self.bindings.assign((value,), (to,))

    def _mismatch(self, at: int, expected: AnyType, found: AnyType) -> None:
        self._wrong(at, f"expected type '{shown(expected)}' but found '{shown(found)}'")

    def _undeclared(self, node: Expr, name: str) -> None:
        self._wrong(node.at, f"undeclared reference to '{name}' (in container '')")
        self._note(node, t.ERROR)

    # Names and fields

    def const(self, node: Const) -> Expr:
        self._note(node, kinds.kind_of(node.value))
        return node

    def ident(self, node: Ident) -> Expr:
        return self._named(node, node.name) or self._unnamed(node)

    def _unnamed(self, node: Ident) -> Expr:
        self._undeclared(node, node.name)
        return node

    def _named(self, node: Expr, name: str) -> Expr | None:
        found = self._scopes.identifier(name)
        if found is None:
            return None
        full, of = found
        self._note(node, of)
        self.references[node.number] = Reference(name=full)
        return Ident(node.number, node.at, full)

    def select(self, node: Select) -> Expr:
        name = "" if node.test else _qualified(node)
        variable = self._named(node, name) if name else None
        if variable is not None:
            return variable
        operand = self.visit(node.operand)
        of = self._field(node, self._type(operand), node.field, optional=False)
        self._note(node, t.BOOL if node.test else self.bindings.resolved(of))
        return replace(node, operand=operand)

    def _optional_select(self, node: Call) -> Expr:
        operand, field = node.arguments
        operand = self.visit(operand)
        name = field.value if isinstance(field, Const) else None
        of = self._field(node, self._type(operand), str(name), optional=True)
        self._note(node, self.bindings.resolved(of))
        self.references[node.number] = Reference(overloads=("select_optional_field",))
        return replace(node, arguments=(operand, field))

    def _field(self, node: Expr, operand: AnyType, field: str, *, optional: bool) -> AnyType:
        of, is_optional = unwrapped(self.bindings.resolved(operand))
        kind = kind_of(of)
        result: AnyType = t.DYN
        if kind == "map" and isinstance(of, Type):
            result = of.parameters[1]
        elif kind == "struct":
            result = self._field_of_struct(node.at, of, field)
        elif kind == "parameter":
            self._assign(t.DYN, of)
        elif kind not in ("dyn", "!error!"):
            self._wrong(node.at, f"type '{shown(of)}' does not support field selection")
        return t.optional_of(result) if is_optional or optional else result

    def _field_of_struct(self, at: int, of: AnyType, field: str) -> AnyType:
        if not isinstance(of, ObjectType):
            self._wrong(at, f"unexpected failed resolution of '{of.name}'")
            return t.ERROR
        found = of.fields.get(field)
        if found is None:
            self._wrong(at, f"undefined field '{field}'")
            return t.ERROR
        return found.type

    # Calls

    def call(self, node: Call) -> Expr:
        if node.function == "_?._":
            return self._optional_select(node)
        arguments = self._visit_all(node.arguments)
        if node.target is None:
            return self._resolved(replace(node, arguments=arguments), node.function)
        prefix = _qualified(node.target)
        function = self._scopes.function(f"{prefix}.{node.function}") if prefix else None
        if function is not None:
            return self._resolved(Call(node.number, node.at, function.name, None, arguments), function.name)
        target = self.visit(node.target)
        return self._resolved(replace(node, target=target, arguments=arguments), node.function)

    def _resolved(self, node: Call, name: str) -> Expr:
        function = self._scopes.function(name)
        if function is None:
            self._undeclared(node, name)
            return node
        if node.target is None:
            node = replace(node, function=function.name)
        operands = node.arguments if node.target is None else (node.target, *node.arguments)
        result = self._overload(node, function, operands)
        self._note(node, t.ERROR if result is None else result)
        return node

    def _overload(self, node: Call, function: Function, operands: Sequence[Expr]) -> AnyType | None:
        if function.name in ("_&&_", "_||_"):
            return self._logic(node, function, operands)
        given = [self._type(operand) for operand in operands]
        result: AnyType | None = None
        chosen: list[str] = []
        for overload in function.overloads:
            if overload.member is not (node.target is not None):
                continue
            wanted, gives = self._instance(overload)
            if not self.bindings.assign(given, wanted):
                continue
            chosen.append(overload.id)
            gives = self.bindings.resolved(gives)
            if result is None:
                result = gives
            elif not is_dyn(result) and not is_exact(gives, result):
                result = t.DYN
        if result is None:
            self._no_overload(node, function, [shown(self.bindings.final(of)) for of in given])
            return None
        self.references[node.number] = Reference(overloads=tuple(chosen))
        return result

    def _no_overload(self, node: Call, function: Function, given: list[str]) -> None:
        target = f"{given.pop(0)}." if node.target is not None else ""
        applied = f"{target}({', '.join(given)})"
        self._wrong(node.at, f"found no matching overload for '{function.name}' applied to '{applied}'")

    def _logic(self, node: Call, function: Function, operands: Sequence[Expr]) -> AnyType | None:
        fits = True
        for operand in operands:
            of = self._type(operand)
            if not self._assign(of, t.BOOL):
                self._mismatch(operand.at, t.BOOL, of)
                fits = False
        self.references[node.number] = Reference(overloads=(function.overloads[0].id,))
        return t.BOOL if fits else None

    def _instance(self, overload: Overload) -> tuple[tuple[AnyType, ...], AnyType]:
        """Return argument types and result of an overload with parameters of its own."""
        fresh: dict[str, AnyType] = {}
        arguments = tuple(self._renamed(of, fresh) for of in overload.arguments)
        return arguments, self._renamed(overload.result, fresh)

    def _renamed(self, of: AnyType, fresh: dict[str, AnyType]) -> AnyType:
        if isinstance(of, Parameter):
            return fresh.setdefault(of.name, fresh.get(of.name) or self.bindings.fresh())
        if not of.parameters:
            return of
        return replace(of, parameters=tuple(self._renamed(each, fresh) for each in of.parameters))

    # Literals

    def list(self, node: ListLiteral) -> Expr:
        of: AnyType | None = None
        elements: list[Expr] = []
        for index, given in enumerate(node.elements):
            element = self.visit(given)
            elements.append(element)
            of = self._joined(of, self._entry_type(element, optional=index in node.optional))
        self._note(node, t.list_of(of or self.bindings.fresh()))
        return replace(node, elements=tuple(elements))

    def map(self, node: MapLiteral) -> Expr:
        keys: AnyType | None = None
        values: AnyType | None = None
        entries: list[Entry] = []
        for entry in node.entries:
            key = self.visit(entry.key)
            keys = self._joined(keys, self._type(key))
            value = self.visit(entry.value)
            values = self._joined(values, self._entry_type(value, optional=entry.optional))
            entries.append(replace(entry, key=key, value=value))
        keys = keys or self.bindings.fresh()
        self._note(node, t.map_of(keys, values or self.bindings.fresh()))
        return replace(node, entries=tuple(entries))

    def _entry_type(self, value: Expr, *, optional: bool) -> AnyType:
        of = self._type(value)
        if not optional:
            return of
        held, is_optional = unwrapped(of)
        if not is_optional and not is_dyn(held):
            self._mismatch(value.at, t.optional_of(held), held)
        return held

    def _joined(self, before: AnyType | None, of: AnyType) -> AnyType:
        if before is None:
            return of
        return most_general(before, of) if self._assign(before, of) else t.DYN

    def struct(self, node: StructLiteral) -> Expr:
        found = self._scopes.identifier(node.type_name)
        if found is None:
            self._undeclared(node, node.type_name)
            return node
        name, named = found
        self.references[node.number] = Reference(name=name)
        of = self._made(node, named)
        self._note(node, of)
        entries = tuple(self._initialised(entry, name, of) for entry in node.entries)
        return replace(node, type_name=name, entries=entries)

    def _made(self, node: StructLiteral, named: AnyType) -> AnyType:
        if kind_of(named) == "!error!":
            return t.ERROR
        if not isinstance(named, Type) or kind_of(named) != "type":
            self._wrong(node.at, f"'{named.name}' is not a type")
            return t.ERROR
        made = named.parameters[0]
        if not isinstance(made, ObjectType):
            self._wrong(node.at, f"'{made.name}' is not a message type")
            return t.ERROR
        return made

    def _initialised(self, entry: Entry, name: str, of: AnyType) -> Entry:
        value = self.visit(entry.value)
        field = str(entry.key.value) if isinstance(entry.key, Const) else ""
        wanted = self._field_of_struct(entry.at, Type(name) if of is t.ERROR else of, field)
        given = self._entry_type(value, optional=entry.optional)
        if not self._assign(wanted, given):
            message = f"expected type of field '{field}' is '{shown(wanted)}' but provided type is '{shown(given)}'"
            self._wrong(entry.at, message)
        return replace(entry, value=value)

    # Comprehensions

    def comprehension(self, node: Comprehension) -> Expr:
        iterated = self.visit(node.iterated)
        initial = self.visit(node.initial)
        accumulated = self._type(initial)
        first, second = self._iterated(iterated)
        variables = {node.variable: first}
        if node.second:
            lists = kind_of(self.bindings.resolved(self._type(iterated))) == "list"
            variables = {node.variable: t.INT if lists else first, node.second: second}
        with self._scopes.within({node.accumulator: accumulated}):
            with self._scopes.within(variables):
                condition = self.visit(node.condition)
                self._must_be(condition, t.BOOL)
                step = self.visit(node.step)
                self._must_be(step, accumulated)
            result = self.visit(node.result)
        self._note(node, self.bindings.resolved(self._type(result)))
        return replace(node, iterated=iterated, initial=initial, condition=condition, step=step, result=result)

    def _iterated(self, node: Expr) -> tuple[AnyType, AnyType]:
        """Return the types of elements, twice, or of keys and values."""
        of = self.bindings.resolved(self._type(node))
        kind = kind_of(of)
        if kind in ("list", "map") and isinstance(of, Type):
            return of.parameters[0], of.parameters[-1]
        if kind in ("dyn", "!error!", "parameter"):
            self._assign(t.DYN, of)
            return t.DYN, t.DYN
        message = f"expression of type '{shown(of)}' cannot be range of a comprehension (must be list, map, or dynamic)"
        self._wrong(node.at, message)
        return t.ERROR, t.ERROR

    def _must_be(self, node: Expr, of: AnyType) -> None:
        if not self._assign(of, self._type(node)):
            self._mismatch(node.at, of, self._type(node))


def _qualified(node: Expr) -> str:
    """Return ``a.b.c`` of such a node, "" of any other."""
    names: list[str] = []
    while isinstance(node, Select) and not node.test:
        names.append(node.field)
        node = node.operand
    return ".".join((node.name, *reversed(names))) if isinstance(node, Ident) else ""


def _parts(of: AnyType, counted: int = 0) -> int:
    """Return how many types a type is made of; more than the largest is not counted."""
    counted += 1
    for parameter in of.parameters if isinstance(of, Type) else ():
        if counted > LARGEST_TYPE:
            return counted
        counted = _parts(parameter, counted)
    return counted


_VISITS: Mapping[type, Callable[[_Checker, Any], Expr]] = {
    Const: _Checker.const,
    Ident: _Checker.ident,
    Select: _Checker.select,
    Call: _Checker.call,
    ListLiteral: _Checker.list,
    MapLiteral: _Checker.map,
    StructLiteral: _Checker.struct,
    Comprehension: _Checker.comprehension,
}
