"""
Asking policies about a request.

Source: k8s.io/apiserver pkg/admission/plugin/policy/generic/{plugin,policy_dispatcher}.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, NotFound
from fairlead_api.request import SYSTEM, User
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.admission.policies.compiled import Binding, Hook, Policy
from fairlead_control_plane.admission.policies.evaluating import Allowance, Given, TooLong, Unanswered
from fairlead_control_plane.admission.policies.index import PolicyIndex
from fairlead_control_plane.admission.policies.params import BadConfiguration, Params
from fairlead_control_plane.admission.policies.subject import Place, Subject
from fairlead_control_plane.kinds import encoding, keys
from fairlead_control_plane.kinds.builtin import builtin_resource
from fairlead_control_plane.kinds.catalog import Catalog
from fairlead_control_plane.store.contract import Store
from fairlead_schema.cel.libraries.authz import Decision, Question

GROUP = "admissionregistration.k8s.io"
_AGENTS = "system:fairlead:syncers"
_SHORT = 10_000
"""Cost of what is done on the event loop: some milliseconds. More is done in a thread."""

Ask = Callable[[User, str, Question], Awaitable[Decision]]
"""Tells whether a user may do something in a logical cluster."""
Hooks = Sequence[tuple[str, Hook]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What policies need; ``ask`` may be set later than the rest is built."""

    store: Store
    catalog: Catalog
    ask: Ask


@dataclass(frozen=True, slots=True)
class Invocation:
    """One evaluation of a policy: for a binding, with one parameter (or none)."""

    policy: Policy
    binding: Binding
    params: JsonObject | None
    place: Place


@dataclass(frozen=True, slots=True)
class Misconfigured:
    """A policy, or a binding of it, that cannot be followed."""

    policy: Policy
    binding: Binding | None
    message: str


Work = Callable[[Mapping[Question, Decision], Allowance], T]
"""Evaluates expressions, given what is known of rights; may be done again, so it must change nothing."""


class Caller:
    """
    The common part of both plugins: finds the policies that are about a request, and evaluates.

    Args:
        index: The policies.
        around: What they need.
    """

    def __init__(self, index: PolicyIndex, around: Surroundings) -> None:
        self._index = index
        self._store = around.store
        self._params = Params(around.store, around.catalog)
        self._ask = around.ask

    def has_none(self, attributes: Attributes) -> bool:
        """Tell at once whether there is no policy to ask, as there mostly is."""
        return "/" not in attributes.resource.owner and self._index.has_none(attributes.cluster)

    async def hooks(self, attributes: Attributes) -> Hooks:
        """
        Return the policies that a request must be shown, with their logical clusters.

        None for what the control plane writes for itself.
        """
        found = [(cluster, hook) for cluster in sources_of(attributes) for hook in await self._index.of(cluster)]
        return () if not found or is_exempt(attributes) else found

    async def relevant(self, subject: Subject, hooks: Hooks) -> AsyncIterator[Invocation | Misconfigured]:
        """Yield what is to be evaluated, and what cannot be; policies and their bindings by name."""
        labels = self._labels(subject)
        for cluster, hook in hooks:
            policy = hook.policy
            try:
                place = await policy.constraints.find(subject, labels)
                if place is None:
                    continue
                kind = await self._params.kind(cluster, policy.param_kind)
            except (ApiError, BadConfiguration) as error:
                yield Misconfigured(policy, None, f"failed to configure policy: {error}")
                continue
            for binding in hook.bindings:
                try:
                    if binding.constraints is not None and await binding.constraints.find(subject, labels) is None:
                        continue
                    namespace = subject.namespace
                    found = await self._params.collect(cluster, kind, binding.params, namespace)
                except (ApiError, BadConfiguration) as error:
                    yield Misconfigured(policy, binding, f"failed to configure binding: {error}")
                    continue
                for params in found:
                    yield Invocation(policy, binding, params, place)

    async def namespace(self, subject: Subject, policy: Policy) -> JsonObject | None:
        """
        Return the namespace that a policy's expressions see, None where there is none or nobody looks.

        Raises:
            NotFound: It is not there.
        """
        return await self._namespace(subject, subject.home) if subject.home and policy.sees_namespace else None

    async def _namespace(self, subject: Subject, name: str) -> JsonObject:
        row = await self._store.get(keys.namespace_key(subject.attributes.cluster, name))
        if row is None:
            raise NotFound(f'namespaces "{name}" not found', kind="namespaces", name=name)
        return encoding.decode(row)

    def _labels(self, subject: Subject) -> Callable[[], Awaitable[Mapping[str, str]]]:
        """Return what looks the labels up that namespace selectors select by, at most once."""
        known: list[Mapping[str, str]] = []

        async def labels() -> Mapping[str, str]:
            if not known:
                given = subject.attributes
                is_own = subject.is_namespace and not given.subresource and given.obj is not None
                obj = given.obj if is_own else await self._namespace(subject, subject.namespace)
                assert obj is not None
                known.append((obj.get("metadata") or {}).get("labels") or {})
            return known[0]

        return labels

    async def evaluate(self, subject: Subject, policy: Policy, work: Work[T]) -> T:
        """Do some work with expressions: here while it is short, else in a thread; rights are looked up on the way."""
        given = subject.attributes
        answers: dict[Question, Decision] = {}
        while True:
            try:
                if not policy.is_long:
                    return work(answers, Allowance(_SHORT))
                return await asyncio.to_thread(work, answers, Allowance(None))
            except TooLong:
                policy.is_long = True
            except Unanswered as missing:
                question = missing.question
                answers[question] = await self._ask(given.user, given.cluster, question)


def sources_of(attributes: Attributes) -> tuple[str, ...]:
    """
    Return the logical clusters whose policies decide: of bound APIs that of the export, as in kcp.

    Kubernetes' own kinds may be bound as well; to users of a workspace they are there, and so the workspace's policies
    are about them, too.
    """
    resource = attributes.resource
    provider, slash, _ = resource.owner.partition("/")
    if not slash:
        return (attributes.cluster,)
    if resource.origin != "bound" or builtin_resource(resource.group, resource.plural) is None:
        return (provider,)
    return (provider, attributes.cluster)


def is_exempt(attributes: Attributes) -> bool:
    """
    Tell whether no policy is asked.

    Policies could make themselves undeletable; and what the control plane writes for itself, and agents report, must
    not depend on what tenants allow (docs/decisions).
    """
    user = attributes.user
    return attributes.resource.group == GROUP or user == SYSTEM or _AGENTS in user.groups


def given_of(
    invocation: Invocation, subject: Subject, namespace: JsonObject | None, answers: Mapping[Question, Decision]
) -> Given:
    """Return what the expressions of a policy see of a request."""
    place, attributes = invocation.place, subject.attributes
    return Given(
        subject.seen_as(attributes.obj, place),
        subject.seen_as(attributes.old, place),
        subject.request(place),
        namespace,
        invocation.params,
        answers,
    )
