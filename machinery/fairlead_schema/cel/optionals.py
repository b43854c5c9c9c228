"""
What kind of path a tree is, and the code of those with optional keys (``self.?spec.size``).

Their values are not made optional before it is known that they have to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fairlead_schema.cel import ast, templates
from fairlead_schema.cel.planner import bare
from fairlead_schema.cel.types import AnyType, ObjectType
from fairlead_schema.cel.writer import Writer

KEYS = frozenset(("_[_]", "_[?_]", "_?._"))


class Interpreted(Exception):
    """The expression has a form for which there is no code."""


class Compiler(Protocol):
    """What writes the parts."""

    out: Writer

    def resolve(self, tree: ast.Expr) -> str:
        """Write what follows a path, with the cost of its keys only."""

    def kind(self, tree: ast.Expr) -> AnyType:
        """Return a tree's type."""

    def must_be(self, name: str, kind: AnyType) -> None:
        """Write the check that a value is of a type."""


def _operand(tree: ast.Expr) -> ast.Expr | None:
    """Return what a path's last key is looked up in, None at its start."""
    if isinstance(tree, ast.Select):
        return tree.operand
    return tree.arguments[0] if isinstance(tree, ast.Call) and tree.function in KEYS else None


def is_lenient(tree: ast.Expr, kind: Callable[[ast.Expr], AnyType]) -> bool:
    """Tell whether absence is fine anywhere in a path."""
    operand = _operand(tree)
    if operand is None:
        return False
    if isinstance(tree, ast.Call) and tree.function != "_[_]":
        return True
    return kind(operand).name == "optional_type" or is_lenient(operand, kind)


def write(compiler: Compiler, tree: ast.Expr) -> str:
    """Write a lenient path; return the name of what it leads to, or ABSENT."""
    found = compiler.out.name()
    compiler.out.line(f"{found} = ABSENT")
    keys: list[ast.Expr] = []
    operand = _operand(tree)
    while operand is not None and (is_lenient(tree, compiler.kind)):
        keys.append(tree)
        tree, operand = operand, _operand(operand)
    held = compiler.out.set(compiler.resolve(tree))
    if compiler.kind(tree).name == "optional_type":
        inner = compiler.out.name()
        with compiler.out.block(f"if {held}.present:"):
            compiler.out.line(f"{inner} = {held}.value")
            _follow(compiler, keys[::-1], inner, found)
    else:
        _follow(compiler, keys[::-1], held, found)
    return found


def _follow(compiler: Compiler, keys: list[ast.Expr], held: str, found: str) -> None:
    """Write the look-up of the first key, and of the others if there is something."""
    if not keys:
        compiler.out.line(f"{found} = {held}")
        return
    key = keys[0]
    there, next_held = _look_up(compiler, key, held)
    kind = bare(compiler.kind(key))
    assert kind is not None
    with compiler.out.block(f"if {there}:"):
        compiler.out.pending += 1
        compiler.must_be(next_held, kind)
        _follow(compiler, keys[1:], next_held, found)


def _look_up(compiler: Compiler, key: ast.Expr, held: str) -> tuple[str, str]:
    """Write a look-up; return what tells whether there is something, and its name."""
    operand = _operand(key)
    assert operand is not None
    kind = bare(compiler.kind(operand))
    found = compiler.out.name()
    name = _field(key)
    if isinstance(kind, ObjectType) and name is not None:
        declared = kind.fields.get(name)
        if declared is None or templates.shaped(declared.type, declared.conversion) is not declared.type:
            raise Interpreted
        compiler.out.line(f"{found} = {held}.get({declared.name!r})")
        return f"{found} is not None", found
    by = "string" if name is not None else compiler.kind(key.arguments[1]).name if isinstance(key, ast.Call) else ""
    text = repr(name) if name is not None else compiler.out.set(compiler.resolve(_index(key)))
    if kind is None or by not in ("string", "int") or kind.name not in ("map", "dyn", "list"):
        raise Interpreted
    if kind.name == "list" or (kind.name == "dyn" and by == "int"):
        compiler.out.line(f"if {held}.__class__ is not list: raise Unusual")
        compiler.out.line(f"{found} = {held}[{text}] if 0 <= {text} < len({held}) else ABSENT")
    else:
        compiler.out.line(f"if {held}.__class__ is not dict: raise Unusual")
        compiler.out.line(f"{found} = find({held}, {text})")
    return f"{found} is not ABSENT", found


def _field(key: ast.Expr) -> str | None:
    """Return the name of the field that a key selects; None of an index."""
    if isinstance(key, ast.Select):
        if key.test:
            raise Interpreted
        return key.field
    named = _index(key)
    if isinstance(key, ast.Call) and key.function == "_?._" and isinstance(named, ast.Const):
        return str(named.value)
    return None


def _index(key: ast.Expr) -> ast.Expr:
    assert isinstance(key, ast.Call)
    return key.arguments[1]


def needs(tree: ast.Expr, name: str) -> bool:
    """Tell whether evaluating a tree is sure to ask for a variable."""
    if isinstance(tree, ast.Ident):
        return tree.name == name
    return any(needs(part, name) for part in _always(tree))


def _always(tree: ast.Expr) -> tuple[ast.Expr, ...]:
    """Return the parts of a tree that are evaluated whenever it is."""
    match tree:
        case ast.Select(operand=part) | ast.Comprehension(iterated=part):
            return (part,)
        case ast.ListLiteral(elements=parts):
            return parts
        case ast.Call():
            return _always_of_call(tree)
    return ()


def _always_of_call(tree: ast.Call) -> tuple[ast.Expr, ...]:
    if tree.function in ("_?_:_", "_&&_", "_||_"):
        return tree.arguments[:1]
    if tree.target is None:
        return tree.arguments
    return (tree.target,) if tree.function in ("or", "orValue") else (tree.target, *tree.arguments)


def is_path(tree: ast.Expr) -> bool:
    """Tell whether a tree is a name, a choice, or a look-up in something."""
    if isinstance(tree, ast.Call):
        return tree.function in KEYS or tree.function == "_?_:_"
    return isinstance(tree, ast.Ident | ast.Select)


def is_free(tree: ast.Expr) -> bool:
    """Tell whether a path costs only its keys: it begins with a choice, or asks for presence."""
    if isinstance(tree, ast.Select) and tree.test:
        if is_free(tree.operand):
            raise Interpreted
        return True
    operand = _operand(tree)
    while operand is not None:
        tree, operand = operand, _operand(operand)
    return isinstance(tree, ast.Call) and tree.function == "_?_:_"
