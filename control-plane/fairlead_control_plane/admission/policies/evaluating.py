"""
What the expressions of a policy say of a request, within their budgets. Pure: no waiting, no other state.

Whether a user may do something is not known here: an expression that asks for what is not among the answers raises
:class:`Unanswered`, and is evaluated again once that is found out.

Source: k8s.io/apiserver pkg/admission/plugin/cel/{activation,composition,condition}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead_api import JsonObject
from fairlead_schema import policy_expressions as cel
from fairlead_schema.cel.libraries.authz import Authorizer, Decision, Question, ResourceCheck
from fairlead_schema.cel.program import CALL_LIMIT
from fairlead_schema.cel.values import CostExceeded, EvaluationError, Value
from fairlead_schema.policy_expressions import Expression

BUDGET = 10_000_000
"""What the expressions of one kind may cost together, for one binding (RuntimeCELCostBudget)."""
CONDITIONS_BUDGET = 2_500_000
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class OutOfBudget(Exception):
    """The expressions cost more than they may."""

    def __init__(self) -> None:
        super().__init__(_OUT_OF_BUDGET)


class TooLong(Exception):
    """It would cost more than everybody else should wait for."""


class Unanswered(Exception):
    """An expression asks about a right that nobody looked up yet."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.question = question


@dataclass(frozen=True, slots=True)
class Outcome:
    """A value, or what went wrong."""

    value: Value = None
    error: str = ""


@dataclass(slots=True)
class Allowance:
    """What may be spent on the event loop; None in a thread of its own."""

    left: int | None

    def limit(self) -> int:
        """Return what the next expression may cost."""
        return CALL_LIMIT if self.left is None else min(CALL_LIMIT, self.left)

    def spend(self, cost: int) -> None:
        """Note a cost."""
        if self.left is not None:
            self.left = max(0, self.left - cost)


@dataclass(frozen=True, slots=True)
class Given:
    """What expressions see; ``answers`` are the rights that were looked up."""

    obj: JsonObject | None
    old: JsonObject | None
    request: JsonObject
    namespace: JsonObject | None
    params: JsonObject | None
    answers: Mapping[Question, Decision]

    def decide(self, question: Question) -> Decision:
        """Answer a question; raises :class:`Unanswered`."""
        found = self.answers.get(question)
        if found is None:
            raise Unanswered(question)
        return found


class Evaluation:
    """
    The evaluation of some expressions of a policy, one after the other; variables are computed once for all of them.

    Args:
        given: What they see.
        variables: The policy's.
        allowance: What may be spent here.
        has_authorizer: Whether they may ask about rights.
    """

    def __init__(
        self,
        given: Given,
        variables: Mapping[str, Expression],
        allowance: Allowance,
        *,
        budget: int = BUDGET,
        has_authorizer: bool = True,
    ) -> None:
        self.left = budget
        self._allowance = allowance
        self._spent = 0
        scope: dict[str, Value] = {
            cel.OBJECT: given.obj,
            cel.OLD_OBJECT: given.old,
            cel.REQUEST: given.request,
            cel.NAMESPACE: given.namespace,
            cel.PARAMS: given.params,
            cel.VARIABLES: Variables(self, variables),
        }
        if has_authorizer:
            authorizer = Authorizer(given.decide)
            scope[cel.AUTHORIZER] = authorizer
            scope[cel.REQUEST_RESOURCE] = ResourceCheck(authorizer, _about(given.request))
        self._scope = scope

    def outcome(self, expression: Expression) -> Outcome:
        """
        Return the value of an expression, or its error in Kubernetes' words.

        Raises:
            OutOfBudget, TooLong, Unanswered.
        """
        if expression.program is None:
            return Outcome(error=f"compilation error: {expression.error}")
        self._spent = 0
        value, error, cost = self.run(expression)
        self.left -= cost + self._spent
        if self.left < 0:
            raise OutOfBudget
        if error:
            return Outcome(error=f"expression '{expression.text}' resulted in error: {error}")
        return Outcome(value)

    def outcomes(self, expressions: Iterable[Expression]) -> list[Outcome]:
        """Return what each expression says; raises as :meth:`outcome`."""
        return [self.outcome(expression) for expression in expressions]

    def run(self, expression: Expression) -> tuple[Value, str, int]:
        """Return an expression's value, its error ("" for none), and its cost."""
        assert expression.program is not None
        limit = self._allowance.limit()
        try:
            value, cost = expression.program.evaluate(self._scope, limit)
        except CostExceeded as error:
            if limit < CALL_LIMIT:
                raise TooLong from error
            return None, str(error), max(error.cost, limit)
        except EvaluationError as error:
            self._allowance.spend(error.cost)
            return None, str(error), error.cost
        self._allowance.spend(cost)
        return value, "", cost

    def charge(self, cost: int) -> None:
        """Count the cost of a variable to the expression that asked for it."""
        self._spent += cost


class Variables:
    """``variables``: each is computed when an expression first asks for it."""

    __slots__ = ("_evaluation", "_expressions", "_known")
    has_nulls = True
    """Null is a value of a variable, not the lack of one."""

    def __init__(self, evaluation: Evaluation, expressions: Mapping[str, Expression]) -> None:
        self._evaluation = evaluation
        self._expressions = expressions
        self._known: dict[str, Outcome] = {}

    def get(self, name: str) -> Value:
        """
        Return a variable's value, None when there is none of that name.

        Raises:
            EvaluationError: It has no value.
        """
        known = self._known.get(name)
        if known is None:
            if name not in self._expressions:
                return None
            known = self._known[name] = self._compute(name, self._expressions[name])
        if known.error:
            raise EvaluationError(known.error)
        return known.value

    def _compute(self, name: str, expression: Expression) -> Outcome:
        if expression.program is None:
            return Outcome(error=f'composited variable "{name}" fails to compile: {expression.error}')
        value, error, cost = self._evaluation.run(expression)
        self._evaluation.charge(cost)
        if error:
            return Outcome(error=f'composited variable "{name}" fails to evaluate: {error}')
        return Outcome(value)


def _about(request: JsonObject) -> Question:
    """Return the question about the very resource that is written; it lacks the verb."""
    resource: Mapping[str, Any] = request["requestResource"]
    return Question(
        "",
        group=resource["group"],
        resource=resource["resource"],
        subresource=request.get("requestSubResource", ""),
        namespace=request.get("namespace", ""),
        name=request.get("name", ""),
    )


def conditions(given: Given, expressions: tuple[Expression, ...], allowance: Allowance) -> tuple[bool, str]:
    """
    Return whether all match conditions hold, and what went wrong in them ("" for nothing).

    They see no namespace. One that is false decides, whatever went wrong in others.

    Raises:
        TooLong, Unanswered.
    """
    if not expressions:
        return True, ""
    bare = Given(given.obj, given.old, given.request, None, given.params, given.answers)
    evaluation = Evaluation(bare, {}, allowance, budget=CONDITIONS_BUDGET)
    try:
        found = evaluation.outcomes(expressions)
    except OutOfBudget as error:
        return False, str(error)
    if any(one.value is False for one in found):
        return False, ""
    errors = list(dict.fromkeys(one.error for one in found if one.error))
    if not errors:
        return True, ""
    return False, errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
