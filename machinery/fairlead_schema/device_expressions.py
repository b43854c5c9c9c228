"""
Expressions that select devices (``resource.k8s.io``): they see ``device``.

Source: k8s.io/dynamic-resource-allocation/cel/compile.go.
"""

from __future__ import annotations

from functools import lru_cache

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.libraries import KUBERNETES
from fairlead_schema.cel.libraries.quantity import QUANTITY_TYPE
from fairlead_schema.cel.program import ProgramError, compile_program
from fairlead_schema.cel.schema_types import NAMES
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.types import Field, ObjectType, map_of
from fairlead_schema.cel.unifying import is_exact
from fairlead_schema.policy_expressions import go_name

_KEPT = 1024
_DEVICE = ObjectType(
    "kubernetes.DRADevice",
    fields={
        "driver": Field("driver", t.STRING),
        "attributes": Field("attributes", map_of(t.STRING, map_of(t.STRING, t.DYN))),
        "capacity": Field("capacity", map_of(t.STRING, map_of(t.STRING, QUANTITY_TYPE))),
        "allowMultipleAllocations": Field("allowMultipleAllocations", t.BOOL),
    },
)
_ENVIRONMENT = Environment({"device": _DEVICE}, (STANDARD, *KUBERNETES, NAMES))


@lru_cache(maxsize=_KEPT)
def problem_of(text: str) -> str:
    """Return what is wrong with an expression, as Kubernetes says it; ``""`` when it gives true or false."""
    try:
        program = compile_program(text, _ENVIRONMENT)
    except ProgramError as error:
        return f"program instantiation failed: {error}"
    except CompileError as error:
        return f"compilation failed: {error}"
    if is_exact(program.result, t.BOOL) or is_exact(program.result, t.DYN):
        return ""
    return f"must evaluate to bool or the unknown type, not {go_name(program.result)}"
