"""
ValidatingAdmissionPolicies: may this be written?

Source: k8s.io/apiserver pkg/admission/plugin/policy/validating/{dispatcher,validator}.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fairlead_api.errors import ApiError, Cause, Forbidden, Invalid, RequestTooLarge
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.policies.compiled import Binding, Check, Policy
from fairlead_control_plane.admission.policies.evaluating import (
    Allowance,
    Evaluation,
    Given,
    Outcome,
    OutOfBudget,
    conditions,
)
from fairlead_control_plane.admission.policies.index import PolicyIndex
from fairlead_control_plane.admission.policies.plugin import Caller, Invocation, Misconfigured, Surroundings, given_of
from fairlead_control_plane.admission.policies.subject import Subject
from fairlead_schema.cel.kinds import name_of
from fairlead_schema.cel.libraries.authz import Decision, Question

_UNKNOWN = "Unknown"
"""What Kubernetes calls an object that the request did not name."""
_LONGEST_MESSAGE = 5 * 1024
_CLASSES: Mapping[str, type[ApiError]] = {
    "": Invalid,
    "Invalid": Invalid,
    "Forbidden": Forbidden,
    "RequestEntityTooLarge": RequestTooLarge,
}


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request does not keep a policy; ``reason`` is "" where none was chosen."""

    message: str
    reason: str = ""


@dataclass(slots=True)
class Judgement:
    """What one evaluation found; what is wrong with annotations is refused whatever the binding's actions are."""

    denials: list[Denial] = field(default_factory=list)
    annotations: list[Denial] = field(default_factory=list)


class ValidatingPolicies:
    """Refuses what policies refuse."""

    def __init__(self, index: PolicyIndex, around: Surroundings) -> None:
        self._caller = Caller(index, around)

    async def admit(self, attributes: Attributes) -> None:
        """Change nothing."""

    async def validate(self, attributes: Attributes) -> None:
        """Ask all policies, and refuse with the words of the first that denies."""
        hooks = () if self._caller.has_none(attributes) else await self._caller.hooks(attributes)
        if not hooks:
            return
        subject = Subject(attributes)
        denied: list[tuple[Policy, Binding | None, Denial]] = []
        async for one in self._caller.relevant(subject, hooks):
            if isinstance(one, Misconfigured):
                if not one.policy.is_lenient:
                    denied.append((one.policy, one.binding, Denial(one.message)))
                continue
            found = await self._judge(one, subject)
            actions = one.binding.actions
            if "Warn" in actions:
                where = f"ValidatingAdmissionPolicy '{one.policy.name}' with binding '{one.binding.name}'"
                attributes.warnings += [f"Validation failed for {where}: {each.message}" for each in found.denials]
            binding = found.denials if "Deny" in actions else []
            denied += [(one.policy, one.binding, each) for each in (*binding, *found.annotations)]
        if denied:
            raise _refusal(subject, *denied[0])

    async def _judge(self, invocation: Invocation, subject: Subject) -> Judgement:
        namespace = await self._caller.namespace(subject, invocation.policy)

        def work(answers: Mapping[Question, Decision], allowance: Allowance) -> Judgement:
            return judge(invocation.policy, given_of(invocation, subject, namespace, answers), allowance)

        return await self._caller.evaluate(subject, invocation.policy, work)


def _refusal(subject: Subject, policy: Policy, binding: Binding | None, denial: Denial) -> ApiError:
    resource, name = subject.attributes.resource, subject.name or _UNKNOWN
    by = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{policy.name}'{by} denied request: {denial.message}"
    return _CLASSES[denial.reason](
        f'{resource.name} "{name}" is forbidden: {message}',
        group=resource.group,
        kind=resource.plural,
        name=name,
        causes=[Cause("", message)],
    )


def judge(policy: Policy, given: Given, allowance: Allowance) -> Judgement:
    """
    Return what a policy finds wrong with a request.

    Raises:
        TooLong, Unanswered: See :mod:`evaluating`.
    """
    found = Judgement()
    holds, error = conditions(given, policy.conditions, allowance)
    if not holds:
        return _failed(policy, error) if error else found
    checks = policy.checks
    evaluation = Evaluation(given, policy.variables, allowance)
    try:
        outcomes = evaluation.outcomes(check.expression for check in checks)
    except OutOfBudget as problem:
        return _failed(policy, str(problem))
    messages = _messages(policy, given, allowance, evaluation.left)
    for check, outcome, message in zip(checks, outcomes, messages, strict=True):
        if outcome.error or (isinstance(messages, _NoBudget)):
            error = outcome.error or f"failed messageExpression: {messages}"
            found.denials += _failed(policy, error).denials
        elif outcome.value is not True:
            found.denials.append(Denial(_text(check, message), check.reason or "Invalid"))
    return _annotated(policy, given, allowance, found)


def _failed(policy: Policy, error: str) -> Judgement:
    return Judgement() if policy.is_lenient else Judgement([Denial(error)])


class _NoBudget(list[Outcome | None]):
    """Messages that were not computed: they cost too much."""

    def __str__(self) -> str:
        return str(OutOfBudget())


def _messages(policy: Policy, given: Given, allowance: Allowance, budget: int) -> Sequence[Outcome | None]:
    """Return what each ``messageExpression`` gives; None where there is none."""
    if not policy.has_messages:
        return [None] * len(policy.checks)
    evaluation = Evaluation(given, policy.variables, allowance, budget=budget, has_authorizer=False)
    try:
        return [None if one.computed is None else evaluation.outcome(one.computed) for one in policy.checks]
    except OutOfBudget:
        return _NoBudget([None] * len(policy.checks))


def _text(check: Check, computed: Outcome | None) -> str:
    message = ""
    if computed is not None and isinstance(computed.value, str):
        message = computed.value.strip()
        if len(message.encode()) > _LONGEST_MESSAGE or "\n" in message:
            message = ""
    return message or check.message or f"failed expression: {check.text}"


def _annotated(policy: Policy, given: Given, allowance: Allowance, found: Judgement) -> Judgement:
    """Add what is wrong with audit annotations; there is no audit log to write them to."""
    if not policy.annotations:
        return found
    evaluation = Evaluation(given, policy.variables, allowance, has_authorizer=False)
    try:
        outcomes = evaluation.outcomes(one.expression for one in policy.annotations)
    except OutOfBudget as problem:
        return _failed(policy, str(problem))
    for annotation, outcome in zip(policy.annotations, outcomes, strict=True):
        value = outcome.value
        if outcome.error:
            if not policy.is_lenient:
                found.annotations.append(Denial(outcome.error))
        elif value is not None and not isinstance(value, str):
            what = f"valueExpression '{annotation.expression.text}' resulted in unsupported return type"
            text = f"{what}: {name_of(value)}. Return type must be either string or null."
            found.annotations.append(Denial(text))
    return found
