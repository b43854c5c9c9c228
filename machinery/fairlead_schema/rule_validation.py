"""
Does an object keep the rules of its schema?

Rules are compiled when a value first reaches them. All of them together may cost a budget; what a rule costs is counted
in CEL's units, so the answer is the same on every machine.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go,
pkg/registry/customresource/strategy.go (what makes it pointless to look).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_schema.cel.program import CALL_LIMIT
from fairlead_schema.cel.schema_types import Declared, declare, escape
from fairlead_schema.cel.schema_values import converter
from fairlead_schema.cel.values import NONE, CostExceeded, EvaluationError, Optional, Value
from fairlead_schema.correlation import Pair, key_of, keyed
from fairlead_schema.node import Node
from fairlead_schema.ruled import Outcome, TakesLong, has_rules
from fairlead_schema.rules import OLD, SELF, TYPE_NAME, Rule, compile_rules

BUDGET = 10_000_000
"""What the rules of one object may cost together (RuntimeCELCostBudget)."""

BRIEF = 5_000
"""What they may cost in one turn of the loop: a few milliseconds."""
_BRIEF_TEXT = 4_096
"""Characters an object may have for that: a function's cost is only known when it has looked at all of a text."""

NOT_CHECKED = Cause(
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
    "<nil>",
)
_BLOCKING = frozenset(
    ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
_MESSAGE_OUT_OF_BUDGET = (
    "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run"
)
_LONGEST_MESSAGE = 5 * 1024
_WALK = "rules"


def check_rules(
    node: Node,
    new: JsonObject,
    old: JsonObject | None,
    found: Sequence[Cause],
    budget: int = BUDGET,
    *,
    is_brief: bool = False,
) -> Outcome:
    """
    Return what the rules of a custom resource's schema find.

    Args:
        node: The root of a schema that has rules.
        new: The object; not changed.
        old: The one before; None on create. What did not change may go on breaking rules that do not compare.
        found: What the schema found before; rules are not run when values are missing or of wrong types.
        budget: What they may cost.
        is_brief: Give up where they have to be compiled first, or cost more than ``BRIEF``.

    Raises:
        TakesLong: They were to be brief, and are not.
    """
    if any(cause.reason in _BLOCKING for cause in found):
        return Outcome((NOT_CHECKED,))
    if is_brief and _is_wordy(new):
        raise TakesLong
    walks = node._walks  # noqa: SLF001 - shared nodes share their walks
    root: _Checked | None = walks.get(_WALK)
    if root is None:
        root = walks[_WALK] = _Checked(node.raw, None, is_root=True)
    run = _Run(BRIEF, BRIEF, is_brief=True) if is_brief else _Run(budget)
    ratchet = _Ratchet(Pair(node.raw, new, old) if old is not None else None)
    with suppress(_Stopped):  # what stopped it is among the causes
        root.check(run, "", new, old, ratchet)
    return Outcome(run.causes, run.warnings)


def _is_wordy(obj: JsonObject) -> bool:
    left = _BRIEF_TEXT
    todo: list[Any] = [obj]
    while todo and left >= 0:
        value = todo.pop()
        for item in value.values() if type(value) is dict else value:
            if type(item) is str:
                left -= len(item)
            elif type(item) is dict or type(item) is list:
                todo.append(item)
    return left < 0


def check_default(schema: JsonObject, path: str, value: Any, budget: int) -> tuple[list[Cause], int]:
    """
    Return what the rules of a node find in its default, as one that stays and as one that appears.

    Args:
        schema: The node; has rules at it or below it.
        path: Of the default in the definition.
        value: The default.
        budget: What they may cost.

    Returns:
        The causes, and what is left of the budget; negative when it ended the check.
    """
    root = _Checked(schema, None, is_root=bool(schema.get("x-kubernetes-embedded-resource")))
    left = budget
    for old in (value, None):
        run = _Run(budget)
        try:
            root.check(run, path, value, old, _Ratchet(None))
        except _Stopped:
            return run.causes, -1
        left = min(left, run.budget)
        if run.causes:
            return run.causes, left
    return [], left


class _Stopped(Exception):
    """No more rules are run."""


@dataclass(slots=True)
class _Run:
    """One object's check: what is left of the budget, what one evaluation may cost, and what was found."""

    budget: int
    limit: int = CALL_LIMIT
    is_brief: bool = field(default=False, kw_only=True)
    causes: list[Cause] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def stop(self, cause: Cause) -> Exception:
        """Note the cause of the end, and return what to raise."""
        if self.is_brief:
            return TakesLong()
        self.causes.append(cause)
        return _Stopped()


@dataclass(frozen=True, slots=True)
class _Ratchet:
    """
    How a place of the object is connected with the one before.

    Attributes:
        here: None when nothing tells what the value was before.
        above: The nearest that is known.
    """

    here: Pair | None
    above: Pair | None = None

    def key(self, name: str) -> _Ratchet:
        if self.here is None:
            return self
        if self.above is None and name in ("apiVersion", "kind"):
            return _Ratchet(None)
        return _Ratchet(self.here.key(name), self.here)

    def index(self, place: int) -> _Ratchet:
        return self if self.here is None else _Ratchet(self.here.index(place), self.here)

    def forgives(self) -> bool:
        pair = self.here or self.above
        return pair is not None and pair.same


class _Checked:
    """A node of a schema with rules at it or below it."""

    def __init__(self, schema: JsonObject, declared: Declared | None, *, is_root: bool) -> None:
        self._schema = schema
        self._declared = declare(schema, TYPE_NAME, is_root=is_root) if declared is None else declared
        self._type: str = schema.get("type") or ""

    @cached_property
    def _rules(self) -> list[Rule]:
        return [] if self._declared is None else compile_rules(self._schema, self._declared)

    @cached_property
    def _items(self) -> _Checked | None:
        return self._made(self._schema.get("items"), self._declared and self._declared.element)

    @cached_property
    def _entries(self) -> _Checked | None:
        return self._made(self._schema.get("additionalProperties"), self._declared and self._declared.element)

    @cached_property
    def _fields(self) -> Mapping[str, _Checked]:
        found = {}
        for name, schema in (self._schema.get("properties") or {}).items():
            escaped = escape(name)
            declared = None
            if escaped is not None:
                declared = self._declared.fields.get(escaped) if self._declared is not None else None
                if declared is None:
                    continue  # expressions cannot see such values, nor is anything said below them
            made = self._made(schema, declared)
            if made is not None:
                found[name] = made
        return found

    @staticmethod
    def _made(schema: Any, declared: Declared | None) -> _Checked | None:
        if not isinstance(schema, dict) or not has_rules(schema):
            return None
        return _Checked(schema, declared, is_root=bool(schema.get("x-kubernetes-embedded-resource")))

    def check(self, run: _Run, path: str, new: Any, old: Any, ratchet: _Ratchet) -> None:
        """
        Check a value and all below it.

        Raises:
            _Stopped: No more rules may be run.
        """
        if new is None:
            return
        if self._schema.get("x-kubernetes-validations"):
            self._check_here(run, path, new, old, ratchet)
        if isinstance(new, list) and self._items is not None:
            before = keyed(self._schema, old if isinstance(old, list) else None)
            for place, item in enumerate(new):
                known = before.get(key_of(self._schema, item)) if before else None
                self._items.check(run, f"{path}[{place}]", item, known, ratchet.index(place))
        elif isinstance(new, dict):
            self._check_fields(run, path, new, old if isinstance(old, dict) else {}, ratchet)

    def _check_fields(self, run: _Run, path: str, new: JsonObject, old: JsonObject, ratchet: _Ratchet) -> None:
        if self._entries is not None:
            for key, value in new.items():
                self._entries.check(run, f"{path}[{key}]", value, old.get(key), ratchet.key(key))
        for key, value in new.items():
            below = self._fields.get(key)
            if below is not None:
                below.check(run, _child(path, key), value, old.get(key), ratchet.key(key))

    def _check_here(self, run: _Run, path: str, new: Any, old: Any, ratchet: _Ratchet) -> None:
        if self._declared is None:
            text = "rule compiler initialization error: failed to convert to declType for CEL validation rules"
            run.causes.append(self._wrong(path, text))
            return
        if run.is_brief and "_rules" not in vars(self):
            raise TakesLong  # to be compiled
        if run.budget <= 0:
            raise run.stop(self._wrong(path, _OUT_OF_BUDGET))
        for rule in self._rules:
            if rule.error:
                run.causes.append(self._wrong(path, f"rule compile error: {rule.error}"))
            elif rule.program is not None and not (rule.uses_old and old is None and not rule.takes_optional):
                variables = {SELF: new, OLD: self._optional(old) if rule.takes_optional else old}
                if not self._holds(run, path, rule, variables):
                    self._failed(run, path, rule, variables, ratchet)

    def _optional(self, old: Any) -> Value:
        if old is None or self._declared is None:
            return NONE
        convert = converter(self._declared.type)
        return Optional(old if convert is None else convert(old), present=True)

    def _holds(self, run: _Run, path: str, rule: Rule, variables: Mapping[str, Value]) -> bool:
        """Tell whether a rule holds; true when it has no answer, which is a cause of its own."""
        if rule.program is None:
            return True
        problem: EvaluationError | None = None
        value: Value = True
        try:
            value, cost = rule.program.evaluate(variables, run.limit)
        except EvaluationError as error:
            problem, cost = error, error.cost
        if cost > run.budget:
            raise run.stop(self._wrong(path, _OUT_OF_BUDGET))
        run.budget -= cost
        if problem is None:
            return value is True
        text = str(problem)
        if isinstance(problem, CostExceeded):
            detail = f"'{text}': no further validation rules will be run due to call cost exceeds limit for rule: "
            raise run.stop(self._wrong(path, detail + rule.text))
        if text.startswith("no such overload"):
            text = f"'{text}': call arguments did not match a supported operator, function or macro signature for rule"
        else:
            text = f"{text} evaluating rule"
        run.causes.append(self._wrong(path, f"{text}: {rule.text}"))
        return True

    def _failed(self, run: _Run, path: str, rule: Rule, variables: Mapping[str, Value], ratchet: _Ratchet) -> None:
        at = _child(path, rule.field_path) if rule.field_path else path
        forgiven = not rule.uses_old and ratchet.forgives()

        def add(cause: Cause) -> None:
            if forgiven:
                run.warnings.append(f"{cause.field}: {cause.message}")
            else:
                run.causes.append(cause)

        try:
            detail = _message(run, rule, variables) or rule.detail
        except _MessageFailed as failed:
            add(self._wrong(at, str(failed)))
            raise _Stopped from failed
        add(self._cause(at, variables[SELF], detail, rule.raw.get("reason") or ""))

    def _cause(self, path: str, value: Any, detail: str, reason: str) -> Cause:
        at = path or "<nil>"
        if reason == "FieldValueForbidden":
            return wrong.forbidden(at, detail)
        if reason == "FieldValueRequired":
            return wrong.required(at, detail)
        is_whole = self._type in ("object", "array")
        if reason == "FieldValueDuplicate":
            return Cause(reason, "Duplicate value", at) if is_whole else wrong.duplicate(at, value)
        if is_whole:
            return Cause("FieldValueInvalid", f"Invalid value: {detail}", at)
        return wrong.invalid(at, value, detail)

    def _wrong(self, path: str, detail: str) -> Cause:
        return wrong.invalid(path or "<nil>", self._type, detail)


class _MessageFailed(Exception):
    """A message cost more than it may."""


def _message(run: _Run, rule: Rule, variables: Mapping[str, Value]) -> str:
    """
    Return what a rule's ``messageExpression`` says; empty when it says nothing that can be shown.

    Raises:
        _MessageFailed: It cost too much.
    """
    if rule.message is None:
        return ""
    text, problem = "", None
    try:
        text, cost = rule.message.evaluate(variables, run.limit)
    except EvaluationError as error:
        problem, cost = error, error.cost
    if run.is_brief and (cost > run.budget or isinstance(problem, CostExceeded)):
        raise TakesLong
    if cost > run.budget:
        raise _MessageFailed(_MESSAGE_OUT_OF_BUDGET)
    if isinstance(problem, CostExceeded):
        quoted = wrong.quoted(rule.raw["messageExpression"])
        what = "no further validation rules will be run due to call cost exceeds limit for messageExpression: "
        raise _MessageFailed(what + quoted)
    run.budget -= cost
    if not isinstance(text, str):
        return ""
    text = text.strip()
    return "" if len(text.encode()) > _LONGEST_MESSAGE or "\n" in text else text


def _child(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
