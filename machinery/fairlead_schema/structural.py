"""
Compiled schemas: types, pruning, defaults and what merges need to know.

``compile_schema`` is cheap: nodes and walks are made when a value first reaches them and shared by content.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

from fairlead_api import JsonObject
from fairlead_api.errors import Cause
from fairlead_schema.decoding import typed_problem
from fairlead_schema.defaulting import defaulter, zero
from fairlead_schema.node import Node, Scope
from fairlead_schema.pruning import prune
from fairlead_schema.ruled import NOTHING, Outcome, has_rules
from fairlead_schema.structuralness import check_structural
from fairlead_schema.validation import validate

__all__ = ["Content", "Structural", "check_structural", "compile_schema"]

_HAS_RULES = "has rules"


class Structural(Node):
    """
    A schema node that can walk values.

    Navigation for the merges is inherited: ``properties``, ``extra``, ``items``, ``child(name)``, ``kind``,
    ``list_type``, ``list_keys``, ``key_defaults``, ``is_atomic``, ``patch_strategy``, ``patch_merge_key``.
    """

    __slots__ = ()

    def validate(self, obj: Any) -> list[Cause]:
        """Return what the schema finds wrong with ``obj`` (422), in no particular order."""
        return validate(self, obj)

    def check_rules(
        self, new: JsonObject, old: JsonObject | None, found: Sequence[Cause], *, is_brief: bool = False
    ) -> Outcome:
        """Return what the rules (``x-kubernetes-validations``) find; see :func:`rule_validation.check_rules`."""
        if _HAS_RULES not in self._walks:
            self._walks[_HAS_RULES] = has_rules(self.raw)
        if not self._walks[_HAS_RULES]:
            return NOTHING
        from fairlead_schema.rule_validation import check_rules  # noqa: PLC0415 - few schemas have rules

        return check_rules(self, new, old, found, is_brief=is_brief)

    def typed_errors(self, obj: Any) -> str | None:
        """Return the text with which a built-in kind's decoder refuses ``obj`` (400), None when it does not."""
        return typed_problem(self, obj)

    def prune(self, obj: Any) -> list[str]:
        """Drop undeclared fields in place; return their paths (``spec.foo``, ``spec.containers[0].bar``), sorted."""
        return prune(self, obj)

    def default(self, obj: Any) -> None:
        """Fill in defaults in place; null counts as absent wherever the schema does not allow it."""
        walk = defaulter(self)
        if walk is not None:
            walk(obj)

    def zero(self) -> JsonObject:
        """Return the empty object: ``{}`` for CRDs, for built-in kinds the structs that are always there."""
        return zero(self)


class Content:
    """
    A CRD's schema and what names its content.

    Whoever compiles the same schema often keeps one of these: large schemas take milliseconds to name.
    """

    __slots__ = ("_key", "schema")

    def __init__(self, schema: JsonObject) -> None:
        self.schema = schema
        self._key = b""

    @property
    def key(self) -> bytes:
        """Name the content: equal for equal schemas, whatever the order of their fields."""
        self._key = self._key or sha256(self.encoded()).digest()
        return self._key

    def encoded(self) -> bytes:
        """Return the schema as JSON with its fields in order."""
        return json.dumps(self.schema, sort_keys=True, separators=(",", ":")).encode()


class _Cache:
    """The compiled schemas most lately asked for, by content."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, Structural] = OrderedDict()

    def get(self, content: Content) -> Structural:
        found = self._entries.get(content.key)
        if found is None:
            scope = Scope(None, Structural)
            found = self._entries[content.key] = Structural(json.loads(content.encoded()), scope, is_root=True)
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)
        self._entries.move_to_end(content.key)
        return found


_crd_schemas = _Cache(size=512)
_scopes: OrderedDict[int, Scope] = OrderedDict()
_SCOPES_KEPT = 16


def compile_schema(schema: JsonObject | Content, definitions: Mapping[str, JsonObject] | None = None) -> Structural:
    """
    Return the compiled schema of a kind.

    Args:
        schema: Raw OpenAPI v3: a CRD's ``openAPIV3Schema`` or a built-in kind's schema; not changed, and for built-in
            kinds and :class:`Content` not to be changed later by the caller.
        definitions: None for a CRD. For built-in kinds the schemas ``$ref`` may name, by bare name
            (``io.k8s.api.core.v1.PodSpec``); pass the same mapping each time, nodes are shared through it.
    """
    if isinstance(schema, Content):
        return _crd_schemas.get(schema)
    if definitions is None:
        return _crd_schemas.get(Content(schema))
    scope = _scopes.get(id(definitions))
    if scope is None or scope.definitions is not definitions:
        scope = _scopes[id(definitions)] = Scope(definitions, Structural)
        if len(_scopes) > _SCOPES_KEPT:
            _scopes.popitem(last=False)
    return cast("Structural", scope.node(schema))
