"""
MutatingAdmissionPolicies: what is to be written instead.

Source: k8s.io/apiserver pkg/admission/plugin/policy/mutating/{dispatcher,reinvocationcontext}.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import Cause, Forbidden, InternalError
from fairlead_control_plane.admission.contract import Attributes, Reinvocation
from fairlead_control_plane.admission.policies.compiled import Binding, Mutation, Policy
from fairlead_control_plane.admission.policies.evaluating import (
    Allowance,
    Evaluation,
    Given,
    OutOfBudget,
    conditions,
)
from fairlead_control_plane.admission.policies.index import PolicyIndex
from fairlead_control_plane.admission.policies.patching import BadMutation, configured, patched
from fairlead_control_plane.admission.policies.plugin import Caller, Invocation, Misconfigured, Surroundings, given_of
from fairlead_control_plane.admission.policies.subject import Subject, shown_in
from fairlead_schema.cel.libraries.authz import Decision, Question
from fairlead_schema.merging import Shape, shape_of


@dataclass(frozen=True, slots=True)
class _Failure:
    policy: Policy
    binding: Binding | None
    message: str
    reason: str = ""

    def __str__(self) -> str:
        """Return the words of the refusal."""
        if self.binding is None:
            return f'policy "{self.policy.name}" denied request: {self.message}'
        return f"policy '{self.policy.name}' with binding '{self.binding.name}' denied request: {self.message}"


class MutatingPolicies:
    """Changes what policies change, each after the other; a second time where they ask for it and others changed."""

    def __init__(self, index: PolicyIndex, around: Surroundings) -> None:
        self._caller = Caller(index, around)

    async def validate(self, attributes: Attributes) -> None:
        """Nothing is left to check."""

    async def admit(self, attributes: Attributes) -> None:
        """Apply all policies; refuse when one that must be applied cannot be."""
        if attributes.operation == "DELETE" or self._caller.has_none(attributes):
            return
        hooks = await self._caller.hooks(attributes)
        if not hooks:
            return
        subject = Subject(attributes)
        if subject.is_part:
            return
        found = [one async for one in self._caller.relevant(subject, hooks)]
        failures = [_Failure(one.policy, one.binding, one.message) for one in found if isinstance(one, Misconfigured)]
        invocations = [one for one in found if isinstance(one, Invocation)]
        if invocations:
            failures += await self._apply(subject, invocations)
        failures = [one for one in failures if not one.policy.is_lenient]
        if failures:
            raise _refusal(attributes, failures)

    async def _apply(self, subject: Subject, invocations: list[Invocation]) -> list[_Failure]:
        attributes = subject.attributes
        again = attributes.reinvocation = attributes.reinvocation or Reinvocation()
        if again.is_second and again.output != _bytes(attributes.obj):
            again.repeat_all()
        failures: list[_Failure] = []
        for invocation in invocations:
            failures += await self._invoke(subject, invocation, again)
        if again.is_wanted:
            again.repeat_all()
        again.output = _bytes(attributes.obj)
        return failures

    async def _invoke(self, subject: Subject, invocation: Invocation, again: Reinvocation) -> list[_Failure]:
        attributes, policy = subject.attributes, invocation.policy
        namespace = await self._caller.namespace(subject, policy)

        def wanted(answers: Mapping[Question, Decision], allowance: Allowance) -> tuple[bool, str]:
            return conditions(given_of(invocation, subject, namespace, answers), policy.conditions, allowance)

        holds, error = await self._caller.evaluate(subject, policy, wanted)
        if error:
            return [_Failure(policy, invocation.binding, error, "Invalid")]
        key = (policy.name, invocation.binding.name, _name(invocation.params))
        if not holds or (again.is_second and key not in again.due):
            return []
        before = _bytes(attributes.obj)
        failures = []
        for mutation in policy.mutations:
            error = await self._mutate(subject, invocation, mutation, namespace)
            if error:
                failures.append(_Failure(policy, invocation.binding, error, "Invalid"))
            else:
                again.is_wanted = True
        if before != _bytes(attributes.obj):
            again.repeat_all()
        if policy.can_repeat:
            again.invoked.add(key)
        return failures

    async def _mutate(
        self, subject: Subject, invocation: Invocation, mutation: Mutation, namespace: JsonObject | None
    ) -> str:
        """Change the object by one mutation; return what went wrong, "" for nothing."""
        if subject.attributes.obj is None:
            return ""

        def work(answers: Mapping[Question, Decision], allowance: Allowance) -> JsonObject:
            given = given_of(invocation, subject, namespace, answers)
            return mutated(mutation, invocation.policy, given, _shape(subject, invocation), allowance)

        try:
            made = await self._caller.evaluate(subject, invocation.policy, work)
        except (BadMutation, OutOfBudget) as error:
            return str(error)
        _replace(subject, invocation, made)
        return ""


def mutated(
    mutation: Mutation, policy: Policy, given: Given, shape: Callable[[], Shape], allowance: Allowance
) -> JsonObject:
    """
    Return the object that a mutation makes.

    Raises:
        BadMutation, OutOfBudget, TooLong, Unanswered.
    """
    if mutation.expression.program is None:
        raise BadMutation(mutation.expression.error)
    outcome = Evaluation(given, policy.variables, allowance).outcome(mutation.expression)
    if outcome.error:
        raise BadMutation(outcome.error)
    assert given.obj is not None
    if mutation.is_patch:
        return patched(given.obj, outcome.value)
    return configured(given.obj, outcome.value, shape())


def _shape(subject: Subject, invocation: Invocation) -> Callable[[], Shape]:
    """Return what finds the shape of the kind in the version that a policy is about."""
    version = subject.attributes.resource.version(invocation.place.version)

    def shape() -> Shape:
        assert version is not None
        return shape_of(version.schema())

    return shape


def _replace(subject: Subject, invocation: Invocation, made: JsonObject) -> None:
    """Let the request's object be another one, with its defaults."""
    attributes, place = subject.attributes, invocation.place
    obj, resource = attributes.obj, attributes.resource
    assert obj is not None
    if made is obj:
        return
    given, asked = resource.version(place.version), resource.version(attributes.version)
    assert given is not None
    assert asked is not None
    if place is not subject.place:
        made = shown_in(resource, given, asked, made)
    schema = asked.schema()
    if not asked.open_api:
        wrong = schema.typed_errors(made)
        if wrong:
            raise InternalError(f"Internal error occurred: {wrong}")
    schema.prune(made)
    schema.default(made)
    obj.clear()
    obj.update(made)
    if not attributes.subresource:
        _prepare(attributes, obj)


def _prepare(attributes: Attributes, obj: JsonObject) -> None:
    strategy = attributes.resource.strategy
    if attributes.old is None:
        if strategy.prepare_create is not None:
            strategy.prepare_create(obj)
    elif strategy.prepare_update is not None:
        strategy.prepare_update(obj, attributes.old)


def _refusal(attributes: Attributes, failures: list[_Failure]) -> Forbidden:
    resource = attributes.resource
    refused = Forbidden(
        str(failures[0]),
        group=resource.group,
        kind=resource.plural,
        name=attributes.name,
        causes=[Cause("", str(each)) for each in failures],
    )
    refused.reason = failures[0].reason or refused.reason
    return refused


def _name(params: JsonObject | None) -> str:
    data = (params or {}).get("metadata") or {}
    return f"{data.get('namespace', '')}/{data.get('name', '')}"


def _bytes(obj: JsonObject | None) -> bytes:
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)
