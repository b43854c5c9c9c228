"""
``jsonpatch.escapeKey``, with which mutating policies write paths.

Source: k8s.io/apiserver/pkg/cel/library/jsonpatch.go.
"""

from __future__ import annotations

from fairlead_schema.cel import types as t
from fairlead_schema.cel.declarations import Function, Library, Overload
from fairlead_schema.cel.libraries import costs


def _escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


_ESCAPE = Overload(
    "string_jsonpatch_escapeKey_string",
    (t.STRING,),
    t.STRING,
    _escape_key,
    estimate=costs.estimate_read(keeps_size=True),
    cost=costs.read(),
)

JSON_PATCH = Library("kubernetes.jsonpatch", (Function("jsonpatch.escapeKey", (_ESCAPE,)),))
