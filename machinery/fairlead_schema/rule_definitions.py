"""
Are the rules in a CustomResourceDefinition's schema right, and cheap enough to be run?

A rule's cost is the most that one evaluation can cost, times how often its node can be in an object: the product of
``maxItems`` and ``maxProperties`` above it, or what fits into a request where one of them is missing.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/{validation,cel_validation}.go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from fairlead_api import JsonObject
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_schema.cel.declarations import MOST
from fairlead_schema.cel.schema_types import Declared, declare, escape
from fairlead_schema.ruled import has_rules
from fairlead_schema.rules import TYPE_NAME, Rule, compile_rules, field_path

RULE_LIMIT = 10_000_000
"""Of one rule (StaticEstimatedCostLimit)."""
SCHEMA_LIMIT = 100_000_000
"""Of all rules of a schema (StaticEstimatedCRDCostLimit)."""

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_RULES = "x-kubernetes-validations"
_NEW_LINE = re.compile(r"[\n\r]")
_MOST_NAMED = 4
_ADVICE = "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"  # fmt: skip  # noqa: E501
_NOT_TYPED = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations"  # fmt: skip  # noqa: E501


def check_definition(schema: JsonObject, path: str, *, compiles: bool = True, limits_each: bool = True) -> list[Cause]:
    """
    Return what is wrong with the rules of a CRD's schema.

    Args:
        schema: ``openAPIV3Schema``; not changed.
        path: Where it stands, e.g. ``spec.validation.openAPIV3Schema``.
        compiles: False when the schema is not structural: then the rules' types are not known.
        limits_each: False when it has not changed: then single rules may cost what they did.
    """
    if not has_rules(schema):
        return []
    walk = _Walk(limits_each)
    place = _Place(schema, path, is_root=True)
    causes = [cause for group in walk.node(place, compiles=compiles) for cause in group]
    return causes + walk.total(path)


@dataclass(frozen=True, slots=True)
class _Place:
    """
    A node of the schema as the walk reaches it.

    Attributes:
        times: How often it can be in an object; None when nothing limits it but the request.
        declared: None where no rules are above, so that nobody needed its types yet.
        is_typed: False below a node with rules whose type expressions cannot see.
        uncorrelated: Path of the list above whose items nothing connects with those before; empty for none.
    """

    schema: JsonObject
    path: str
    times: int | None = 1
    declared: Declared | None = None
    is_typed: bool = True
    is_root: bool = False
    uncorrelated: str = ""

    def typed(self, *, in_scope: bool) -> _Place:
        """Return the place with its types, when rules here or above need them."""
        if not (in_scope or self.schema.get(_RULES)) or self.declared is not None or not self.is_typed:
            return self
        is_resource = self.is_root or bool(self.schema.get("x-kubernetes-embedded-resource"))
        declared = declare(self.schema, TYPE_NAME, is_root=is_resource)
        return replace(self, declared=declared, is_typed=declared is not None)


def _below(place: _Place) -> Iterator[_Place]:
    """Return the places below one, in the order in which Kubernetes visits them."""
    schema, declared = place.schema, place.declared
    times = None if place.times is None else _times(place.times, _most(schema))
    extra, items = schema.get("additionalProperties"), schema.get("items")
    element = declared.element if declared is not None else None
    if isinstance(extra, dict):
        path = f"{place.path}.additionalProperties"
        yield _Place(extra, path, times, element, place.is_typed, uncorrelated=place.uncorrelated)
    for name, child in (schema.get("properties") or {}).items():
        fields = declared.fields if declared is not None else {}
        known = fields.get(escape(name) or "")
        path = f"{place.path}.properties[{name}]"
        yield _Place(child, path, times, known, place.is_typed, uncorrelated=place.uncorrelated)
    if isinstance(items, dict):
        uncorrelated = place.uncorrelated
        if schema.get("x-kubernetes-list-type") != "map":
            uncorrelated = uncorrelated or place.path
        yield _Place(items, f"{place.path}.items", times, element, place.is_typed, uncorrelated=uncorrelated)


def _most(schema: JsonObject) -> int | None:
    kind = schema.get("type")
    if kind == "array":
        limit = schema.get("maxItems")
    elif kind == "object" and schema.get("additionalProperties") is not None:
        limit = schema.get("maxProperties")
    else:
        return 1
    return None if limit is None else max(0, limit)


def _times(one: int, other: int | None) -> int | None:
    return None if other is None else min(one * other, MOST)


@dataclass(slots=True)
class _Walk:
    """
    The walk through one schema.

    Attributes:
        cost: Of all rules so far.
        expensive: Paths and costs of the rules that cost most.
    """

    limits_each: bool
    cost: int = 0
    expensive: list[tuple[int, str]] = field(default_factory=list)

    def node(self, place: _Place, *, compiles: bool, in_scope: bool = False) -> tuple[list[Cause], list[Cause]]:
        """Return what is wrong with the form of rules here and below, and what with the expressions."""
        form: list[Cause] = []
        expressions: list[Cause] = []
        if compiles:
            place = place.typed(in_scope=in_scope)
        in_scope = in_scope or bool(place.schema.get(_RULES))
        for below in _below(place):
            if in_scope or has_rules(below.schema):
                below_form, below_expressions = self.node(below, compiles=compiles, in_scope=in_scope)
                form += below_form
                expressions += below_expressions
        rules = place.schema.get(_RULES) or ()
        for index, rule in enumerate(rules):
            form += _form(rule, place.schema, f"{place.path}.{_RULES}[{index}]")
        if rules and not form and compiles:
            expressions += self._compiled(place)
        return form, expressions

    def _compiled(self, place: _Place) -> Iterator[Cause]:
        if place.declared is None:
            yield Cause("InternalError", f"Internal error: {_NOT_TYPED}", f"{place.path}.{_RULES}")
            return
        times = place.declared.most_times if place.times is None else place.times
        for index, rule in enumerate(compile_rules(place.schema, place.declared)):
            path = f"{place.path}.{_RULES}[{index}]"
            yield from self._costs(f"{path}.rule", min(rule.cost * times, MOST), "estimated rule cost")
            if rule.error:
                yield _about(f"{path}.rule", rule, rule.error)
            if rule.message_error:
                yield _about(f"{path}.messageExpression", rule, rule.message_error)
            elif rule.message is not None:
                what = "estimated messageExpression cost"
                yield from self._costs(f"{path}.messageExpression", rule.message_cost, what)
            yield from _comparing(rule, path, place.uncorrelated)

    def _costs(self, path: str, cost: int, what: str) -> Iterator[Cause]:
        if self.limits_each and cost > RULE_LIMIT:
            yield wrong.forbidden(path, _too_expensive(what, cost, RULE_LIMIT))
        self.cost = min(self.cost + cost, MOST)
        if cost >= SCHEMA_LIMIT // 100:
            self.expensive = sorted([*self.expensive, (cost, path)], key=lambda each: -each[0])[:_MOST_NAMED]

    def total(self, path: str) -> list[Cause]:
        """Return what is wrong with the cost of all rules together."""
        if self.cost <= SCHEMA_LIMIT:
            return []
        share = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        whole = wrong.forbidden(path, _too_expensive(what, self.cost, SCHEMA_LIMIT))
        return [*(wrong.forbidden(each, share) for _, each in self.expensive), whole]


def _about(path: str, rule: Rule, detail: str) -> Cause:
    """Return the cause that shows a whole rule, as Go prints it."""
    raw: Mapping[str, object] = rule.raw
    texts = {key: raw.get(key[0].lower() + key[1:]) or "" for key in ("Rule", "Message", "MessageExpression")}
    rest = {
        "Reason": raw.get("reason"),
        "FieldPath": raw.get("fieldPath") or "",
        "OptionalOldSelf": raw.get("optionalOldSelf"),
    }
    shown = json.dumps({**texts, **rest}, ensure_ascii=False, separators=(",", ":"))
    for char, escaped in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028")):
        shown = shown.replace(char, escaped)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {detail}", path)


def _comparing(rule: Rule, path: str, uncorrelated: str) -> Iterator[Cause]:
    if rule.uses_old:
        if uncorrelated:
            detail = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
            yield wrong.invalid(f"{path}.rule", rule.raw["rule"], detail)
    elif rule.raw.get("optionalOldSelf") is not None:
        detail = "may not be set if oldSelf is not used in rule"
        yield wrong.invalid(f"{path}.optionalOldSelf", rule.raw["optionalOldSelf"], detail)


def _form(rule: JsonObject, schema: JsonObject, path: str) -> Iterator[Cause]:
    """Check what is said of a rule, without its types."""
    text, message = rule.get("rule") or "", rule.get("message") or ""
    trimmed, computed = message.strip(), rule.get("messageExpression") or ""
    if not text.strip():
        yield wrong.required(f"{path}.rule", "rule is not specified")
    elif message and not trimmed:
        yield wrong.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _NEW_LINE.search(trimmed):
        yield wrong.invalid(f"{path}.message", message, "must not contain line breaks")
    elif _NEW_LINE.search(text.strip()) and not trimmed:
        yield wrong.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if computed and not computed.strip():
        yield wrong.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield wrong.not_supported(f"{path}.reason", reason, _REASONS)
    place = rule.get("fieldPath") or ""
    if place and not place.strip():
        yield wrong.invalid(f"{path}.fieldPath", place, "must be non-empty if specified")
    if _NEW_LINE.search(place):
        yield wrong.invalid(f"{path}.fieldPath", place, "must not contain line breaks")
    if place and field_path(place, schema) is None:
        yield wrong.invalid(f"{path}.fieldPath", place, "must be a valid path")


def _too_expensive(what: str, cost: int, limit: int) -> str:
    times = cost / limit
    exact = f"{times:f}x" if times < 1.5 else f"{times:.1f}x"
    factor = "more than 100x" if times > 100 else exact
    return f"{what} exceeds budget by factor of {factor} {_ADVICE}"
