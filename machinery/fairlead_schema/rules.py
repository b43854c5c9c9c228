"""
Rules of a custom resource's schema (``x-kubernetes-validations``), compiled.

A node's rules see the value as ``self`` and, on updates, the one before as ``oldSelf``.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/{compilation,validation}.go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.estimate import Sizes
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.program import Program, ProgramError, compile_program
from fairlead_schema.cel.schema_types import NAMES, Declared
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.types import Type

SELF, OLD = "self", "oldSelf"
TYPE_NAME = "selfType"
"""Of the values, in messages of the compiler; Kubernetes appends a random number so that nobody relies on it."""

_LIBRARIES = (STANDARD, *KUBERNETES, NAMES)


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One entry of ``x-kubernetes-validations``, compiled.

    Attributes:
        raw: The entry.
        program: None when it is empty or does not compile.
        error: What is wrong with the rule; empty for nothing.
        uses_old: It mentions ``oldSelf``.
        cost: The most that one evaluation can cost.
        message: Computes the message; None when it need not or cannot.
        message_error: What is wrong with ``messageExpression``.
        message_cost: The most that it can cost.
        field_path: ``fieldPath`` as messages write it; empty when there is none.
    """

    raw: JsonObject
    program: Program | None = None
    error: str = ""
    uses_old: bool = False
    cost: int = 0
    message: Program | None = None
    message_error: str = ""
    message_cost: int = 0
    field_path: str = ""

    @property
    def text(self) -> str:
        """Return what messages call the rule."""
        return ((self.raw.get("message") or "").strip()) or (self.raw.get("rule") or "").strip()

    @property
    def detail(self) -> str:
        """Return what is said when it fails."""
        message: str = self.raw.get("message") or ""
        return message.strip() if message else f"failed rule: {self.text}"

    @property
    def takes_optional(self) -> bool:
        """Tell whether ``oldSelf`` is an optional value, so that the rule runs when there is none, too."""
        return bool(self.raw.get("optionalOldSelf"))


def compile_rules(schema: JsonObject, declared: Declared) -> list[Rule]:
    """
    Compile the rules of one node, in their order.

    Args:
        schema: The node; not changed.
        declared: What it declares.
    """
    return [_compile(rule, schema, declared) for rule in schema.get("x-kubernetes-validations") or ()]


def _compile(raw: JsonObject, schema: JsonObject, declared: Declared) -> Rule:
    text = raw.get("rule") or ""
    if not text.strip():
        return Rule(raw)
    old = t.optional_of(declared.type) if raw.get("optionalOldSelf") else declared.type
    environment = Environment({SELF: declared.type, OLD: old}, _LIBRARIES)
    program, error = _program(text, environment, t.BOOL, "", "cel expression must evaluate to a bool")
    if program is None:
        return Rule(raw, error=error)
    longest = _sizes(declared)
    message, message_error, message_cost = None, "", 0
    if raw.get("messageExpression"):
        message, message_error = _program(
            raw["messageExpression"],
            environment,
            t.STRING,
            "messageExpression ",
            "messageExpression must evaluate to a string",
        )
        message_cost = message.estimate(longest).most if message is not None else 0
    return Rule(
        raw,
        program,
        uses_old=OLD in program.variables(),
        cost=program.estimate(longest).most,
        message=message,
        message_error=message_error,
        message_cost=message_cost,
        field_path="" if message_error else field_path(raw.get("fieldPath") or "", schema) or "",
    )


def _sizes(declared: Declared) -> Sizes:
    """Return sizes below a rule's node; any other name (``int``) counts as the node, as in Kubernetes."""

    def longest(path: tuple[str, ...]) -> int | None:
        at: Declared | None = declared if path else None
        for step in path[1:]:
            at = at.below(step) if at is not None else None
        return None if at is None else at.longest

    return longest


def _program(
    text: str, environment: Environment, wanted: Type, what: str, wrong_type: str
) -> tuple[Program | None, str]:
    try:
        program = compile_program(text, environment)
    except ProgramError as error:
        verb = f"{what}instantiation" if what else "program instantiation"
        return None, f"{verb} failed: {error}"
    except CompileError as error:
        return None, f"{what}compilation failed: {error}"
    return (program, "") if program.result == wanted else (None, wrong_type)


_TOKEN = re.compile(r"'.*?(?<!\\)'|'.*|[.\[\]]|[^.\[\]]+", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


def field_path(path: str, schema: JsonObject) -> str | None:
    """
    Return a rule's ``fieldPath`` (``.spec['a.b']``) as messages write it; None when the schema has no such field.

    Args:
        schema: The node that has the rule.
    """
    written, at = "", schema
    tokens = _TOKEN.findall(path)
    while tokens:
        name = _next_name(tokens)
        if name is None:
            return None
        if at.get("properties"):
            below = at["properties"].get(name)
            written += f".{name}" if written else name
        else:
            below = at.get("additionalProperties")
            written += f"[{name}]"
        if not isinstance(below, dict):
            return None
        at = below
    return written


def _next_name(tokens: list[str]) -> str | None:
    """Take one step off the front: ``. name`` or ``[ 'name' ]``; None when it is neither."""
    begin = tokens.pop(0)
    if begin == "." and tokens:
        return tokens.pop(0)
    if begin != "[" or len(tokens) < 2 or tokens[1] != "]":
        return None
    quoted = tokens.pop(0)
    tokens.pop(0)
    if len(quoted) < 2 or not (quoted.startswith("'") and quoted.endswith("'")):
        return None
    inner = quoted[1:-1]
    if any(escape not in _ESCAPES for escape in _ESCAPE.findall(inner)):
        return None
    return _ESCAPE.sub(lambda match: _ESCAPES[match.group(1)], inner)
