"""
Is a policy, or a binding, about a request?

Source: k8s.io/apiserver pkg/admission/plugin/policy/matching, plugin/webhook/predicates/{rules,namespace,object}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fairlead_api import JsonObject
from fairlead_api.selectors import Selector, from_object
from fairlead_control_plane.admission.policies.subject import Place, Subject

Labels = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns the labels of the namespace that the request is about; raises ``NotFound`` when there is none."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """One of ``resourceRules``; a resource is its plural and its part."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    scope: str
    names: frozenset[str]

    @classmethod
    def of(cls, rule: JsonObject) -> _Rule:
        """Read a rule."""
        parts = tuple((whole, part) for whole, _, part in (one.partition("/") for one in rule.get("resources") or ()))
        fields = ("operations", "apiGroups", "apiVersions")
        operations, groups, versions = (frozenset(rule.get(field) or ()) for field in fields)
        names = frozenset(rule.get("resourceNames") or ())
        return cls(operations, groups, versions, parts, rule.get("scope") or "*", names)

    def matches(self, subject: Subject, place: Place) -> bool:
        """Tell whether the rule is about a request, seen as one for a place."""
        given = subject.attributes
        return (
            _has(self.operations, given.operation)
            and _has(self.groups, place.group)
            and _has(self.versions, place.version)
            and any(whole in ("*", place.plural) and part in ("*", given.subresource) for whole, part in self.resources)
            and self._in_scope(subject)
            and (not self.names or subject.name in self.names)
        )

    def _in_scope(self, subject: Subject) -> bool:
        if self.scope == "*":
            return True
        return (self.scope == "Namespaced") is (not subject.is_namespace and subject.namespace != "")


def _has(listed: frozenset[str], word: str) -> bool:
    return word in listed or "*" in listed


@dataclass(frozen=True, slots=True)
class Constraints:
    """``MatchResources``, read."""

    rules: tuple[_Rule, ...]
    excluded: tuple[_Rule, ...]
    is_exact: bool
    namespaces: Selector
    objects: Selector

    @classmethod
    def of(cls, matched: JsonObject) -> Constraints:
        """Read them from an object that passed validation."""
        return cls(
            tuple(map(_Rule.of, matched.get("resourceRules") or ())),
            tuple(map(_Rule.of, matched.get("excludeResourceRules") or ())),
            matched.get("matchPolicy") == "Exact",
            from_object(matched.get("namespaceSelector") or {}),
            from_object(matched.get("objectSelector") or {}),
        )

    async def find(self, subject: Subject, labels: Labels) -> Place | None:
        """
        Return as what the request is matched; None when it is not.

        Raises:
            NotFound: The namespace whose labels decide is not there.
        """
        place = self._by_rules(subject)
        if place is None or not _selects(self.objects, subject):
            return None
        if self.namespaces.is_everything or not (subject.namespace or subject.is_namespace):
            return place
        return place if self.namespaces.matches(await labels()) else None

    def _by_rules(self, subject: Subject) -> Place | None:
        if self.excluded and self._match(self.excluded, subject) is not None:
            return None
        return self._match(self.rules, subject) if self.rules else subject.place

    def _match(self, rules: Sequence[_Rule], subject: Subject) -> Place | None:
        if any(rule.matches(subject, subject.place) for rule in rules):
            return subject.place
        if self.is_exact:
            return None
        return next((place for rule in rules for place in subject.equivalents if rule.matches(subject, place)), None)


def _selects(selector: Selector, subject: Subject) -> bool:
    if selector.is_everything:
        return True
    both = (subject.attributes.obj, subject.attributes.old)
    return any(obj is not None and selector.matches((obj.get("metadata") or {}).get("labels")) for obj in both)
