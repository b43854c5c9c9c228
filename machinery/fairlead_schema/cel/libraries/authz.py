"""
Asking whether a user may do something: ``authorizer.group('apps').resource('deployments').check('get').allowed()``.

What answers is injected by the variable's value: an :class:`Authorizer` with a function that decides at once.

Source: k8s.io/apiserver/pkg/cel/library/authz.go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from fairlead_api.validation import dns1123_label, dns1123_subdomain
from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import CallEstimate, Function, Library, Overload, Sized, Span
from fairlead_schema.cel.kinds import size_of
from fairlead_schema.cel.libraries import costs
from fairlead_schema.cel.types import Type
from fairlead_schema.cel.values import EvaluationError, LibraryValue, Value

_PREFIX = "kubernetes.authorization."
AUTHORIZER_TYPE = Type(f"{_PREFIX}Authorizer")
PATH_CHECK_TYPE = Type(f"{_PREFIX}PathCheck")
GROUP_CHECK_TYPE = Type(f"{_PREFIX}GroupCheck")
RESOURCE_CHECK_TYPE = Type(f"{_PREFIX}ResourceCheck")
DECISION_TYPE = Type(f"{_PREFIX}Decision")

CHECK_COST = 350_000
"""Allows for two checks in an expression."""
_REQUIREMENT_LENGTH = 0.5
"""Requirements a character of a selector may make: the shortest is ``k,``."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked: a path, or a resource.

    Attributes:
        service_account: Namespace and name, when not the requester but this one is asked about.
        field_selector, label_selector: As written, "" for none; who answers reads them.
    """

    verb: str
    path: str = ""
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    field_selector: str = ""
    label_selector: str = ""
    service_account: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Decision(LibraryValue):
    """The answer; ``error`` is "" when it could be found out."""

    cel_type: ClassVar[Type] = DECISION_TYPE

    allowed: bool
    reason: str = ""
    error: str = ""


class _Nameless(LibraryValue):
    """A value that equals nothing: Kubernetes has no way to compare it."""

    __slots__ = ()

    def equals(self, other: Value) -> bool:
        raise EvaluationError("no such overload")


@dataclass(frozen=True, slots=True)
class Authorizer(_Nameless):
    """What ``authorizer`` is: whom to ask, and about whom."""

    cel_type: ClassVar[Type] = AUTHORIZER_TYPE

    decide: Callable[[Question], Decision] = field(repr=False)
    service_account: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PathCheck(_Nameless):
    """A path to be asked about."""

    cel_type: ClassVar[Type] = PATH_CHECK_TYPE

    authorizer: Authorizer
    path: str


@dataclass(frozen=True, slots=True)
class GroupCheck(_Nameless):
    """A group of which a resource is to be named."""

    cel_type: ClassVar[Type] = GROUP_CHECK_TYPE

    authorizer: Authorizer
    group: str


@dataclass(frozen=True, slots=True)
class ResourceCheck(_Nameless):
    """A resource to be asked about; the question has no verb yet."""

    cel_type: ClassVar[Type] = RESOURCE_CHECK_TYPE

    authorizer: Authorizer
    question: Question


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path.strip():
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer, path)


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if dns1123_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if dns1123_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return replace(authorizer, service_account=(namespace, name))


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    if not resource.strip():
        raise EvaluationError("resource must not be empty")
    asked = Question("", group=check.group, resource=resource, service_account=check.authorizer.service_account)
    return ResourceCheck(check.authorizer, asked)


def _narrowed(name: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    def narrow(check: ResourceCheck, value: str) -> ResourceCheck:
        asked: dict[str, Any] = {name: value}
        return replace(check, question=replace(check.question, **asked))

    return narrow


def _check_path(check: PathCheck, verb: str) -> Decision:
    asked = Question(verb, path=check.path, service_account=check.authorizer.service_account)
    return check.authorizer.decide(asked)


def _check_resource(check: ResourceCheck, verb: str) -> Decision:
    return check.authorizer.decide(replace(check.question, verb=verb))


def _selector_estimate(size: Span) -> Span:
    requirements = size.by(_REQUIREMENT_LENGTH)
    listed = Span(costs.LIST_COST, costs.LIST_COST) + size.by(costs.STRING_FACTOR)
    return listed + requirements.by(costs.LIST_COST + costs.STRUCT_COST)


def _selector_cost(arguments: Sequence[Value], _result: Value) -> int:
    size = size_of(arguments[1])
    return _selector_estimate(Span(size, size)).most


def _estimate_selector(arguments: Sequence[Sized]) -> CallEstimate:
    return CallEstimate(_selector_estimate(arguments[1].size))


_CHECKED = Span(CHECK_COST, CHECK_COST)
_NOMINAL = CallEstimate(costs.ONE)


def _form(key: str, of: Type, result: Type, call: Callable[..., Value], texts: int = 0) -> Overload:
    return Overload(key, (of, *[t.STRING] * texts), result, call, True, lambda _: _NOMINAL)


def _check(key: str, of: Type, call: Callable[..., Value]) -> Overload:
    return Overload(
        key, (of, t.STRING), DECISION_TYPE, call, True, lambda _: CallEstimate(_CHECKED), _check_cost, pure=False
    )


def _check_cost(_arguments: Sequence[Value], _result: Value) -> int:
    return CHECK_COST


def _narrowing(name: str) -> Function:
    form = _form(f"resourcecheck_{name}", RESOURCE_CHECK_TYPE, RESOURCE_CHECK_TYPE, _narrowed(name), 1)
    return Function(name, (form,))


def _selecting(name: str, attribute: str) -> Function:
    overload = Overload(
        f"authorizer_{name.lower()}", (RESOURCE_CHECK_TYPE, t.STRING), RESOURCE_CHECK_TYPE, _narrowed(attribute), True,
        _estimate_selector, _selector_cost,
    )  # fmt: skip
    return Function(name, (overload,))


AUTHORIZATION = Library(
    "kubernetes.authz",
    (
        Function("path", (_form("authorizer_path", AUTHORIZER_TYPE, PATH_CHECK_TYPE, _path, 1),)),
        Function("group", (_form("authorizer_group", AUTHORIZER_TYPE, GROUP_CHECK_TYPE, GroupCheck, 1),)),
        Function(
            "serviceAccount",
            (_form("authorizer_serviceaccount", AUTHORIZER_TYPE, AUTHORIZER_TYPE, _service_account, 2),),
        ),
        Function("resource", (_form("groupcheck_resource", GROUP_CHECK_TYPE, RESOURCE_CHECK_TYPE, _resource, 1),)),
        _narrowing("subresource"),
        _narrowing("namespace"),
        _narrowing("name"),
        Function(
            "check",
            (
                _check("pathcheck_check", PATH_CHECK_TYPE, _check_path),
                _check("resourcecheck_check", RESOURCE_CHECK_TYPE, _check_resource),
            ),
            _check_cost,
        ),
        Function("errored", (_form("decision_errored", DECISION_TYPE, t.BOOL, lambda decision: decision.error != ""),)),
        Function("error", (_form("decision_error", DECISION_TYPE, t.STRING, lambda decision: decision.error),)),
        Function("allowed", (_form("decision_allowed", DECISION_TYPE, t.BOOL, lambda decision: decision.allowed),)),
        Function("reason", (_form("decision_reason", DECISION_TYPE, t.STRING, lambda decision: decision.reason),)),
    ),
)

AUTHORIZATION_SELECTORS = Library(
    "kubernetes.authzSelectors",
    (_selecting("fieldSelector", "field_selector"), _selecting("labelSelector", "label_selector")),
)
