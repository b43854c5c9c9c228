"""
The access review APIs: what may somebody do, and who is the owner of a token.

Each handler takes what was asked (cluster, namespace, caller) and the posted object, and returns the object with its
``status``. Everything is evaluated in the logical cluster that was asked, never in another.

Source: k8s.io/kubernetes pkg/registry/authorization, pkg/registry/authentication.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from fairlead_api import JsonObject
from fairlead_api.errors import BadRequest
from fairlead_api.request import RequestInfo, User
from fairlead_control_plane.auth import review_validation
from fairlead_control_plane.auth.accounts import ServiceAccounts
from fairlead_control_plane.auth.authenticate import TokenVerifier
from fairlead_control_plane.auth.authorize import CLUSTER_NAME, Authorizer
from fairlead_control_plane.auth.policies import Policies

AUTHENTICATION, AUTHORIZATION = "authentication.k8s.io", "authorization.k8s.io"


class Asked(Protocol):
    """What a review is asked about: the registry's target has these."""

    @property
    def cluster(self) -> str:
        """Return the logical cluster."""

    @property
    def namespace(self) -> str:
        """Return the namespace, ``""`` for cluster-scoped reviews."""

    @property
    def name(self) -> str:
        """Return the name in the path, ``""`` for collections."""

    @property
    def user(self) -> User:
        """Return the caller."""


Handler = Callable[[Asked, JsonObject], Awaitable[JsonObject]]


class Reviews:
    """Answers access and token reviews."""

    def __init__(
        self,
        authorizer: Authorizer,
        policies: Policies,
        accounts: ServiceAccounts,
        verifiers: Sequence[TokenVerifier] = (),
    ) -> None:
        self._authorizer = authorizer
        self._policies = policies
        self._accounts = accounts
        self._verifiers = tuple(verifiers)

    def handlers(self) -> Mapping[tuple[str, str], Handler]:
        """Return the handlers by (group, plural)."""
        return {
            (AUTHORIZATION, "subjectaccessreviews"): self.subject_access,
            (AUTHORIZATION, "localsubjectaccessreviews"): self.local_subject_access,
            (AUTHORIZATION, "selfsubjectaccessreviews"): self.self_subject_access,
            (AUTHORIZATION, "selfsubjectrulesreviews"): self.self_subject_rules,
            (AUTHENTICATION, "tokenreviews"): self.token,
            (AUTHENTICATION, "selfsubjectreviews"): self.self_subject,
        }

    async def subject_access(self, asked: Asked, review: JsonObject) -> JsonObject:
        """SubjectAccessReview: may the user named in it."""
        review_validation.check(review, names_subject=True)
        spec = review.get("spec") or {}
        return await self._access(asked, review, spec, _subject(spec))

    async def local_subject_access(self, asked: Asked, review: JsonObject) -> JsonObject:
        """LocalSubjectAccessReview: the same, in the namespace of the request only."""
        review_validation.check(review, names_subject=True, namespace=asked.namespace)
        spec = review.get("spec") or {}
        return await self._access(asked, review, spec, _subject(spec))

    async def self_subject_access(self, asked: Asked, review: JsonObject) -> JsonObject:
        """SelfSubjectAccessReview: may the caller."""
        review_validation.check(review, names_subject=False)
        return await self._access(asked, review, review.get("spec") or {}, asked.user)

    async def self_subject_rules(self, asked: Asked, review: JsonObject) -> JsonObject:
        """SelfSubjectRulesReview: all that the caller may do in a namespace."""
        namespace = (review.get("spec") or {}).get("namespace", "")
        if not namespace:
            raise BadRequest("no namespace on request")
        rules = (await self._policies.index(asked.cluster)).user(asked.user).rules(namespace)
        resources: list[JsonObject] = []
        urls: list[JsonObject] = []
        for rule in rules:
            if rule.resources:
                entry: JsonObject = {
                    "verbs": sorted(rule.verbs),
                    "apiGroups": sorted(rule.groups),
                    "resources": sorted(rule.resources),
                }
                if rule.names:
                    entry["resourceNames"] = sorted(rule.names)
                resources.append(entry)
            if rule.urls:
                urls.append({"verbs": sorted(rule.verbs), "nonResourceURLs": list(rule.urls)})
        status = {"resourceRules": resources, "nonResourceRules": urls, "incomplete": False}
        return _with_status(review, status)

    async def token(self, asked: Asked, review: JsonObject) -> JsonObject:
        """TokenReview: whose token is it; one of another logical cluster is nobody's here."""
        spec = review.get("spec") or {}
        token = spec.get("token", "")
        if not token:
            raise BadRequest("token is required for TokenReview in authentication")
        audiences = list(spec.get("audiences") or ())
        reviewed = await self._accounts.review(token, audiences)
        if reviewed is not None and reviewed[1].cluster == asked.cluster:
            user, claims = reviewed
            wanted = audiences or [self._accounts.tokens.issuer]
            return _with_status(review, _authenticated(user, [each for each in claims.audiences if each in wanted]))
        own = self._accounts.tokens.issuer
        for verify in self._verifiers if reviewed is None and (not audiences or own in audiences) else ():
            found = await verify(token)
            if found is not None and CLUSTER_NAME not in found.extra:
                return _with_status(review, _authenticated(found, [own]))
        return _with_status(review, {"user": {}, "error": "invalid bearer token"})

    async def self_subject(self, asked: Asked, review: JsonObject) -> JsonObject:
        """SelfSubjectReview: who the caller is."""
        return _with_status(review, {"userInfo": asked.user.as_json()})

    async def _access(self, asked: Asked, review: JsonObject, spec: JsonObject, user: User) -> JsonObject:
        info = _request(asked, spec)
        decision = await self._authorizer.authorize(user, info)
        status: JsonObject = {"allowed": decision.allowed}
        if decision.reason:
            status["reason"] = decision.reason
        if problem := review_validation.unreadable(spec):
            status["evaluationError"] = problem
        return _with_status(review, status)


def _authenticated(user: User, audiences: list[str]) -> JsonObject:
    return {"authenticated": True, "user": user.as_json(), "audiences": audiences}


def _with_status(review: JsonObject, status: JsonObject) -> JsonObject:
    return {**review, "status": status}


def _subject(spec: JsonObject) -> User:
    extra = {key.lower(): tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), tuple(spec.get("groups") or ()), spec.get("uid", ""), extra)


def _request(asked: Asked, spec: JsonObject) -> RequestInfo:
    """Return what a checked review asks about."""
    resource, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes") or {}
    if resource is None:
        return RequestInfo(asked.cluster, url.get("path", ""), url.get("verb", ""))
    return RequestInfo(
        asked.cluster,
        "",
        resource.get("verb", ""),
        True,
        resource.get("group", ""),
        resource.get("version") or "*",
        resource.get("namespace", ""),
        resource.get("resource", ""),
        subresource=resource.get("subresource", ""),
        name=resource.get("name", ""),
    )
