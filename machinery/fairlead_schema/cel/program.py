"""
Expressions, compiled and run: the way in for everybody who uses the language.

A program is compiled code for evaluations in which nothing goes wrong. When something does, the expression is evaluated
again by the interpreter, which knows what every error costs and which errors ``&&``, ``||`` and comprehensions forgive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.checker import Checked, check
from fairlead_schema.cel.compiler import Fast, compile_fast
from fairlead_schema.cel.declarations import Environment, Span
from fairlead_schema.cel.estimate import Sizes, estimate
from fairlead_schema.cel.parser import parse
from fairlead_schema.cel.paths import Meter, Node
from fairlead_schema.cel.planner import Functions, PlanError, Planner
from fairlead_schema.cel.types import AnyType
from fairlead_schema.cel.values import CostExceeded, EvaluationError, Value

CALL_LIMIT = 1_000_000
"""What one evaluation may cost in Kubernetes (PerCallLimit): about a tenth of a second there."""


@dataclass(frozen=True, slots=True)
class Program:
    """
    An expression that can be evaluated, any number of times.

    Attributes:
        checked: The tree with its types; ``checked.result`` is the expression's type.
        compiled: The code, for evaluations in which nothing goes wrong; None when there is none.
    """

    checked: Checked
    _functions: Functions
    _node: Node
    compiled: Fast | None

    @property
    def result(self) -> AnyType:
        """The type of the expression."""
        return self.checked.result

    def variables(self) -> frozenset[str]:
        """Return the names of the variables and types that the expression mentions."""
        return frozenset(reference.name for reference in self.checked.references.values() if reference.name)

    def evaluate(self, variables: Mapping[str, Value], limit: int = CALL_LIMIT) -> tuple[Value, int]:
        """
        Return the value of the expression and what it cost.

        Args:
            variables: Values by name. JSON as it is, when a variable's type is of a schema. Not changed.
            limit: The most it may cost.

        Raises:
            CostExceeded: It would have cost more than ``limit``.
            EvaluationError: There is no value; ``cost`` of the error tells what was spent.
        """
        if self.compiled is not None:
            try:
                return self.compiled(variables, limit)
            except CostExceeded:
                raise
            except (EvaluationError, LookupError, AttributeError, TypeError, RecursionError):
                pass  # a value is missing or not of its type: the interpreter tells what that means
        return self.interpret(variables, limit)

    def interpret(self, variables: Mapping[str, Value], limit: int = CALL_LIMIT) -> tuple[Value, int]:
        """Do what :meth:`evaluate` does, without compiled code."""
        meter = Meter(limit)
        try:
            value = self._node.run(dict(variables), meter)
        except CostExceeded as error:
            error.cost = meter.cost
            raise
        except RecursionError as error:
            raise EvaluationError("internal error: stack overflow") from error
        if isinstance(value, EvaluationError):
            value.cost = meter.cost
            raise value
        return value, meter.cost

    def estimate(self, sizes: Sizes | None = None) -> Span:
        """Return the least and the most it can cost; see :func:`fairlead_schema.cel.estimate.estimate`."""
        return estimate(self.checked, self._functions, sizes)


class ProgramError(CompileError):
    """An expression that is right, but of which a constant part cannot be computed (``int('a')``)."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, ())
        self.args = (reason,)


def compile_program(text: str, environment: Environment) -> Program:
    """
    Parse, check and compile an expression.

    Raises:
        CompileError: It is not right; Kubernetes says "compilation failed: " and this.
        ProgramError: A constant part of it cannot be computed; Kubernetes says "program instantiation failed: ".
    """
    return program_of(check(parse(text, environment.libraries), environment), environment)


def program_of(checked: Checked, environment: Environment) -> Program:
    """
    Compile a checked expression.

    Raises:
        ProgramError: A constant part of it cannot be computed.
    """
    functions = Functions.of(environment)
    planner = Planner(checked, functions)
    try:
        node = planner.plan(checked.source.root)
    except PlanError as error:
        raise ProgramError(checked.source.text, str(error)) from error
    return Program(checked, functions, node, compile_fast(checked, planner))
