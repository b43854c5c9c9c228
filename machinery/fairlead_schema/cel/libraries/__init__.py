"""
What Kubernetes' expressions have beside the standard library.

Source: k8s.io/apiserver/pkg/cel/environment/base.go. ``math`` and ``encoders`` of cel-go are not part of it.
"""

from __future__ import annotations

from fairlead_schema.cel.declarations import Library
from fairlead_schema.cel.libraries.authz import AUTHORIZATION, AUTHORIZATION_SELECTORS
from fairlead_schema.cel.libraries.cidr import CIDRS
from fairlead_schema.cel.libraries.comprehensions import TWO_VARIABLES
from fairlead_schema.cel.libraries.format import NAMED_FORMATS
from fairlead_schema.cel.libraries.ip import IPS
from fairlead_schema.cel.libraries.jsonpatch import JSON_PATCH
from fairlead_schema.cel.libraries.lists import EXTENDED_LISTS, LISTS
from fairlead_schema.cel.libraries.optional import OPTIONAL
from fairlead_schema.cel.libraries.quantity import QUANTITIES
from fairlead_schema.cel.libraries.regex import REGEX
from fairlead_schema.cel.libraries.semver import SEMVERS
from fairlead_schema.cel.libraries.sets import SETS
from fairlead_schema.cel.libraries.strings import STRINGS
from fairlead_schema.cel.libraries.urls import URLS
from fairlead_schema.cel.objects import OBJECTS

KUBERNETES: tuple[Library, ...] = (
    URLS,
    REGEX,
    LISTS,
    AUTHORIZATION,
    OPTIONAL,
    QUANTITIES,
    STRINGS,
    SETS,
    IPS,
    CIDRS,
    NAMED_FORMATS,
    AUTHORIZATION_SELECTORS,
    TWO_VARIABLES,
    SEMVERS,
    EXTENDED_LISTS,
)
"""Of every environment, in the order in which Kubernetes adds them."""

MUTATING: tuple[Library, ...] = (*KUBERNETES, JSON_PATCH, OBJECTS)
"""Of the environment of mutating policies."""

__all__ = ["KUBERNETES", "MUTATING"]
