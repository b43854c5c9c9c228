"""
Checked expressions as Python code, for evaluations in which nothing goes wrong.

The code reads dictionaries and lists as they are, does arithmetic and comparisons of known types in place, and counts
what it costs as the interpreter would. Whatever is unusual - an error, a value not of its type, a form that is seldom
used - raises :class:`Unusual`, and the interpreter takes over; so the code need not keep the order of evaluation.
Every name in the code is made here; users' words are in it as literals only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatchmethod

from fairlead_schema.cel import ast, optionals, templates
from fairlead_schema.cel import types as t
from fairlead_schema.cel.checker import Checked
from fairlead_schema.cel.conversions import identity
from fairlead_schema.cel.hooks import GLOBALS
from fairlead_schema.cel.nodes import LIST_COST, MAP_COST
from fairlead_schema.cel.optionals import Interpreted, is_free, is_lenient, is_path, needs
from fairlead_schema.cel.planner import Planner
from fairlead_schema.cel.schema_values import converter
from fairlead_schema.cel.templates import Template
from fairlead_schema.cel.types import AnyType, ObjectType
from fairlead_schema.cel.values import Value
from fairlead_schema.cel.writer import TooDeep, Writer

Fast = Callable[[Mapping[str, Value], int], tuple[Value, int]]


def compile_fast(checked: Checked, planner: Planner) -> Fast | None:
    """
    Return the code of a planned expression, None when the interpreter has to do it all.

    The code raises EvaluationError when the interpreter must take over, CostExceeded when that is certain.
    """
    compiler = _Compiler(checked, planner)
    try:
        return compiler.function()
    except (Interpreted, TooDeep, RecursionError):
        return None


class _Compiler:
    """Writes the code of one expression."""

    def __init__(self, checked: Checked, planner: Planner) -> None:
        self._root = checked.source.root
        self._types = checked.types
        self._references = checked.references
        self._planner = planner
        self.out = Writer()
        self._locals: dict[str, str] = {}
        self._growing: set[str] = set()
        self._whole: set[int] = set()

    def function(self) -> Fast:
        """Return the function."""
        value = self.value(self._root)
        self.out.flush()
        body = ["def run(v, limit):", "    c = w = 0", *self.out.lines]
        body += ["    if c > limit: exceed(c)", f"    return {value}, c"]
        space: dict[str, Value] = {**GLOBALS, **self.out.globals}
        exec(compile("\n".join(body), "<rule>", "exec"), space)  # names and literals are all made here
        run: Fast = space["run"]
        return run

    def value(self, tree: ast.Expr) -> str:
        """Write what evaluates a tree, with its cost; return the name of the value."""
        if tree.number in self._planner.constants:
            return self.out.constant(self._planner.constants[tree.number])
        if is_path(tree):
            found = self.resolve(tree)
            self.out.pending += 0 if is_free(tree) else 1
            return found
        return self._write(tree)

    def resolve(self, tree: ast.Expr) -> str:
        """Write what follows a path, with the cost of its keys only."""
        if tree.number in self._planner.constants or not is_path(tree):
            return self.value(tree)
        if is_lenient(tree, self.kind):
            return self._lenient(tree)
        if isinstance(tree, ast.Select):
            return self._select(tree)
        if isinstance(tree, ast.Ident):
            return self._name(tree)
        assert isinstance(tree, ast.Call)
        return self._choose(tree) if tree.function == "_?_:_" else self._index(tree)

    def _lenient(self, tree: ast.Expr) -> str:
        """Write a path with optional keys, as an optional value."""
        found = optionals.write(self, tree)
        return self.out.set(f"NONE if {found} is ABSENT else Optional({found}, True)")

    def _apart(self, tree: ast.Expr) -> ast.Expr:
        """Leave what the list or map at a path holds as it is; return the path."""
        self._whole.add(tree.number)
        return tree

    def _checked_kind(self, tree: ast.Expr) -> AnyType:
        kind = self.kind(tree)
        return t.Type(kind.name) if tree.number in self._whole and kind.name in ("list", "map") else kind

    def kind(self, tree: ast.Expr) -> AnyType:
        return self._types.get(tree.number, t.DYN)

    def _once(self, owner: str, key: str, text: str, kind: AnyType) -> str:
        """Write a look-up that is checked to be of its type, unless it was done already."""
        known = self.out.known.get((owner, f"{key} {kind}"))
        if known is None:
            known = self.out.set(text)
            self.must_be(known, kind)
            self.out.known[owner, f"{key} {kind}"] = known
        return known

    def must_be(self, name: str, kind: AnyType) -> None:
        check = templates.check(name, kind)
        if check:
            self.out.line(check)
        convert = converter(kind) if kind.name in ("list", "map") else None
        if convert is not None:
            self.out.line(f"{name} = {self.out.constant(convert)}({name})")

    def _name(self, tree: ast.Ident) -> str:
        local = self._locals.get(tree.name)
        if local is not None:
            return local
        reference = self._references.get(tree.number)
        name = reference.name if reference is not None and reference.name else tree.name
        if name in self._locals:
            raise Interpreted
        kind = self._checked_kind(tree)
        if isinstance(kind, ObjectType):
            kind = t.DYN  # it may be computed when it is asked for: anything that has fields will do
        return self._once("v", name, f"v[{name!r}]", kind)

    def _select(self, tree: ast.Select) -> str:
        owner = self._resolve_operand(tree.operand)
        self.out.pending += 1
        kind = self.kind(tree.operand)
        if isinstance(kind, ObjectType):
            declared = kind.fields.get(tree.field)
            if declared is None:
                raise Interpreted
            if tree.test:
                return f"({owner}.get({declared.name!r}) is not None)"
            shaped = templates.shaped(self._checked_kind(tree), declared.conversion)
            found = self._once(owner, tree.field, f"{owner}.get({declared.name!r})", shaped)
            if templates.check("x", shaped) == "":
                self.out.line(f"if {found} is None: raise Unusual")
            return found
        if kind.name not in ("map", "dyn"):
            raise Interpreted
        if kind.name == "dyn":
            self.out.line(f"if {owner}.__class__ is not dict: raise Unusual")
        if tree.test:
            return f"({tree.field!r} in {owner})"
        return self._held(owner, repr(tree.field), self._checked_kind(tree))

    def _resolve_operand(self, tree: ast.Expr) -> str:
        found = self.resolve(self._apart(tree))
        return found if found.isidentifier() else self.out.set(found)

    def _held(self, owner: str, key: str, kind: AnyType) -> str:
        """Write the look-up of a key that is a string."""
        known = self.out.known.get((owner, f"[{key}] {kind}"))
        if known is None:
            known = self.out.set(f"{owner}.get({key}, ABSENT)")
            if templates.check("x", kind) == "":
                self.out.line(f"if {known} is ABSENT: raise Unusual")
            else:
                self.must_be(known, kind)
            self.out.known[owner, f"[{key}] {kind}"] = known
        return known

    def _index(self, tree: ast.Call) -> str:
        operand, index = tree.arguments
        owner = self._resolve_operand(operand)
        key = self.out.set(self.resolve(index))
        self.out.pending += 1
        kind, by = self.kind(operand), self.kind(index)
        if kind.name == "list" and by.name == "int":
            self.out.line(f"if not 0 <= {key} < len({owner}): raise Unusual")
            found = self.out.set(f"{owner}[{key}]")
            self.must_be(found, self._checked_kind(tree))
            return found
        if kind.name == "map" and by.name == "string":
            return self._held(owner, key, self._checked_kind(tree))
        if kind.name == "map":
            found = self.out.set(f"find({owner}, {key})")
            self.out.line(f"if {found} is ABSENT: raise Unusual")
            self.must_be(found, self._checked_kind(tree))
            return found
        found = self.out.set(f"pick({owner}, {key})")
        self.must_be(found, self._checked_kind(tree))
        return found

    def _choose(self, tree: ast.Call) -> str:
        condition, yes, no = tree.arguments
        chosen = self._truth(condition)
        found = self.out.name()
        for header, branch in ((f"if {chosen}:", yes), ("else:", no)):
            with self.out.block(header):
                self.out.line(f"{found} = {self.resolve(branch)}")
        return found

    def _truth(self, tree: ast.Expr) -> str:
        """Write what gives a boolean."""
        found = self.value(tree)
        if self.kind(tree).name == "bool":
            return found
        found = self.out.set(found)
        self.must_be(found, t.BOOL)
        return found

    @singledispatchmethod
    def _write(self, tree: ast.Expr) -> str:
        raise Interpreted

    @_write.register
    def _(self, tree: ast.Const) -> str:
        return self.out.constant(tree.value)

    @_write.register
    def _(self, tree: ast.ListLiteral) -> str:
        if tree.optional:
            raise Interpreted
        elements = [self.value(element) for element in tree.elements]
        self.out.pending += LIST_COST
        return self.out.set(f"[{', '.join(elements)}]")

    @_write.register
    def _(self, tree: ast.MapLiteral) -> str:
        if any(entry.optional for entry in tree.entries):
            raise Interpreted
        entries = [f"{self.value(entry.key)}: {self.value(entry.value)}" for entry in tree.entries]
        self.out.pending += MAP_COST
        return self.out.set(f"{{{', '.join(entries)}}}")

    @_write.register
    def _(self, tree: ast.Call) -> str:
        if tree.function in ("_&&_", "_||_"):
            return self._logic(tree)
        if tree.function == "!_":
            self.out.pending += 1
            return f"(not {self._truth(tree.arguments[0])})"
        if tree.function == "@not_strictly_false":
            self.out.pending += 1
            return self._truth(tree.arguments[0])
        if tree.target is not None and tree.function in ("or", "orValue", "hasValue"):
            return self._otherwise(tree, tree.target)
        return self._call(tree)

    def _otherwise(self, tree: ast.Call, target: ast.Expr) -> str:
        """Write what is done with an optional value that need not be made."""
        if tree.function == "hasValue":
            self.out.pending += 1
            return self.out.set(f"{self._present(target)} is not ABSENT")
        found = self._present(target)
        header = f"if {found} is ABSENT:"
        if tree.function == "orValue":
            with self.out.block(header):
                self.out.line(f"{found} = {self.value(tree.arguments[0])}")
            return found
        made = self.out.set(f"NONE if {found} is ABSENT else Optional({found}, True)")
        with self.out.block(header):
            self.out.line(f"{made} = {self.value(tree.arguments[0])}")
        return made

    def _present(self, target: ast.Expr) -> str:
        """Write an optional's value, or ABSENT, as a name of its own."""
        if is_path(target) and is_lenient(target, self.kind):
            found = optionals.write(self, target)
            self.out.pending += 0 if is_free(target) else 1
            return found
        held = self._atom(self.value(target))
        # A literal may stand here, of a dyn.
        self.out.line(f"if ({held}).__class__ is not Optional: raise Unusual")
        return self.out.set(f"({held}).value if ({held}).present else ABSENT")

    def _logic(self, tree: ast.Call) -> str:
        left, right = tree.arguments
        found = self.out.set(self._truth(left))
        with self.out.block(f"if {'not ' if tree.function == '_||_' else ''}{found}:"):
            self.out.line(f"{found} = {self._truth(right)}")
        return found

    def _call(self, tree: ast.Call) -> str:
        trees = tree.arguments if tree.target is None else (tree.target, *tree.arguments)
        grown = self._grow(tree)
        if grown is not None:
            return grown
        members = self._members(tree)
        if members is not None:
            return members
        arguments = [self._atom(self.value(argument)) for argument in trees]
        kinds = [self.kind(argument).name for argument in trees]
        only = self._planner.only(tree)
        known = templates.call(tree.function, only.id if only is not None else "", kinds, arguments)
        if known is not None and (only is None or only.id != "add_list"):
            for line in known.lines:
                self.out.line(line)
            self.out.pending += known.cost
            if known.grows:
                self.out.line("if c > limit: exceed(c)")
            return known.text
        loose = templates.loose(tree.function, kinds, arguments)
        return self._called(tree, arguments) if loose is None else self._compared(tree, arguments, *loose)

    def _compared(self, tree: ast.Call, arguments: Sequence[str], plain: str, template: Template) -> str:
        """Write a comparison with a value of unknown type, which is as a rule of the other's."""
        found = self.out.name()
        with self.out.block(f"if {plain}:"):
            for line in template.lines:
                self.out.line(line)
            self.out.pending += template.cost
            self.out.line(f"{found} = {template.text}")
        with self.out.block("else:"):
            self.out.line(f"{found} = {self._called(tree, arguments)}")
        return found

    def _atom(self, text: str) -> str:
        return text if text.isidentifier() or text[0] in "'\"-0123456789" else self.out.set(text)

    def _called(self, tree: ast.Call, arguments: Sequence[str]) -> str:
        """Write a call of the function that the planner found."""
        invoke = self._planner.invoke(tree)
        result = arguments[0] if invoke is identity else f"{self.out.constant(invoke)}({', '.join(arguments)})"
        if tree.function == "_+_":
            result = self.out.set(result)
            self.out.line(f"if {result}.__class__ is list: w = copied(w, {result}, c)")
        return self._spent(tree, result, arguments)

    def _spent(self, tree: ast.Call, text: str, arguments: Sequence[str]) -> str:
        """Write a call's cost, and a check that it is not too much when it depends on sizes."""
        found = self.out.set(text)
        if tree.function not in ("_==_", "_!=_") and self._planner.coster(tree) is None:
            self.out.pending += 1
            return found
        cost = self.out.constant(self._planner.cost(tree))
        self.out.line(f"c += {cost}(({', '.join(arguments)},), {found})" if arguments else f"c += {cost}((), {found})")
        self.out.line("if c > limit: exceed(c)")
        return found

    def _members(self, tree: ast.Call) -> str | None:
        """Write ``value in [constants]``, which is free."""
        if tree.function != "@in":
            return None
        contains = self._planner.membership(tree)
        if contains is None:
            return None
        value, within = tree.arguments
        found = self.value(value)
        held = self._planner.constants[within.number]
        if self.kind(value).name in ("string", "int") and all(type(one) is type(held[0]) for one in held):
            return self.out.set(f"{found} in {self.out.constant(frozenset(held))}")
        return self.out.set(f"{self.out.constant(contains)}({found})")

    def _grow(self, tree: ast.Call) -> str | None:
        """Write ``result + [element]`` of a comprehension as an append."""
        if tree.function != "_+_":
            return None
        left, right = tree.arguments
        name = self._locals.get(left.name) if isinstance(left, ast.Ident) else None
        if name not in self._growing or name is None:
            return None
        self.out.pending += 2
        if isinstance(right, ast.ListLiteral) and not right.optional:
            self.out.pending += 0 if right.number in self._planner.constants else LIST_COST
            for element in right.elements:
                self.out.line(f"{name}.append({self.value(element)})")
        else:
            self.out.line(f"{name}.extend({self.value(right)})")
        return name

    @_write.register
    def _(self, tree: ast.Comprehension) -> str:
        if isinstance(tree.condition, ast.Const) and tree.condition.value is False:
            return self._bind(tree)
        if tree.initial.number not in self._planner.constants:
            raise Interpreted
        iterated = self._atom(self.value(self._apart(tree.iterated)))
        initial = self._planner.constants[tree.initial.number]
        growing = isinstance(initial, list | dict) and not initial
        fresh = "[]" if isinstance(initial, list) else "GrowingMap()"
        found = self.out.set(fresh if growing else self.out.constant(initial))
        if isinstance(initial, list) and growing:
            self._growing.add(found)
        outer = dict(self._locals)
        self._loop(tree, iterated, found)
        self._locals = {**outer, tree.accumulator: found}
        result = self.value(tree.result)
        self._locals = outer
        return f"settled({result})" if isinstance(initial, dict) and growing else result

    def _bind(self, tree: ast.Comprehension) -> str:
        """Write the value of a variable before what is done with it, when that is sure to ask for it."""
        if tree.accumulator in self._locals or not needs(tree.result, tree.accumulator):
            raise Interpreted
        self.value(tree.iterated)
        held = self.out.set(self.value(tree.initial))
        self.out.line(f"if not {held} and ({held}.__class__ is list or {held}.__class__ is dict): raise Unusual")
        outer = dict(self._locals)
        self._locals[tree.accumulator] = held
        result = self.out.set(self.value(tree.result))
        self._locals = outer
        return result

    def _loop(self, tree: ast.Comprehension, iterated: str, found: str) -> None:
        header, names = self._header(tree, iterated)
        with self.out.block(header, loop=True):
            self._locals = {**self._locals, **names, tree.accumulator: found}
            stops = self._condition(tree)
            if stops:
                self.out.flush()
                self.out.line(f"if not {stops}: break")
            self._elements(tree, names)
            self.out.line("if c > limit: exceed(c)")
            step = self._step(tree, stops == found)
            self.out.flush()
            if step != found:
                self.out.line(f"{found} = {step}")

    def _condition(self, tree: ast.Comprehension) -> str:
        """Write whether to go on; "" when always."""
        if isinstance(tree.condition, ast.Const):
            return ""
        return self._truth(tree.condition)

    def _step(self, tree: ast.Comprehension, certain: bool) -> str:
        """Write the step; of ``result && predicate`` the predicate alone when the result is certain to be true."""
        step = tree.step
        if certain and isinstance(step, ast.Call) and step.function == "_&&_":
            left = step.arguments[0]
            if isinstance(left, ast.Ident) and left.name == tree.accumulator:
                self.out.pending += 1
                return self._truth(step.arguments[1])
        found = self.value(step)
        if self.kind(tree.initial).name == "bool" and self.kind(step).name != "bool":
            found = self.out.set(found)
            self.must_be(found, t.BOOL)
        return found

    def _header(self, tree: ast.Comprehension, iterated: str) -> tuple[str, dict[str, str]]:
        kind = self.kind(tree.iterated).name
        first, second = self.out.name(), self.out.name()
        if kind not in ("list", "map"):
            self.out.line(f"if {iterated}.__class__ is not list: raise Unusual")
        if not tree.second:
            return f"for {first} in {iterated}:", {tree.variable: first}
        pairs = f"{iterated}.items()" if kind == "map" else f"enumerate({iterated})"
        return f"for {first}, {second} in {pairs}:", {tree.variable: first, tree.second: second}

    def _elements(self, tree: ast.Comprehension, names: Mapping[str, str]) -> None:
        """Write the checks that what a schema's list or map holds is of its type."""
        kind = self.kind(tree.iterated)
        if isinstance(kind, t.Parameter) or not kind.parameters:
            return
        if tree.second:
            self.must_be(names[tree.second], kind.parameters[-1])
        elif kind.name == "list":
            self.must_be(names[tree.variable], kind.parameters[0])
