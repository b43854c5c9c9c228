"""
Expressions about requests: those of admission policies and of the match conditions of webhooks.

They see ``object``, ``oldObject``, ``request``, ``namespaceObject`` and, where they may, ``params``, ``authorizer`` and
``variables``. Objects have no types here: whatever is wrong with a field shows when a request comes.

Source: k8s.io/apiserver/pkg/admission/plugin/cel/{compile,composition}.go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from fairlead_schema.cel import types as t
from fairlead_schema.cel.ast import CompileError
from fairlead_schema.cel.declarations import Environment
from fairlead_schema.cel.libraries import KUBERNETES, MUTATING
from fairlead_schema.cel.libraries.authz import AUTHORIZER_TYPE, RESOURCE_CHECK_TYPE
from fairlead_schema.cel.objects import PATCH_TYPE, ROOT_TYPE
from fairlead_schema.cel.program import Program, ProgramError, compile_program
from fairlead_schema.cel.schema_types import NAMES
from fairlead_schema.cel.standard import STANDARD
from fairlead_schema.cel.types import AnyType, Field, ObjectType, Type, list_of, map_of
from fairlead_schema.cel.unifying import is_exact

OBJECT, OLD_OBJECT, REQUEST, NAMESPACE = "object", "oldObject", "request", "namespaceObject"
PARAMS, AUTHORIZER, REQUEST_RESOURCE, VARIABLES = "params", "authorizer", "authorizer.requestResource", "variables"

CONDITION, MESSAGE, ANNOTATION = (t.BOOL,), (t.STRING,), (t.STRING, t.NULL)
CONFIGURATION, PATCHES = (ROOT_TYPE,), (list_of(PATCH_TYPE),)
ANYTHING: tuple[Type, ...] = ()
"""What an expression may give, by what it is for."""

_KEPT = 4096
_LIBRARIES = (STANDARD, *KUBERNETES, NAMES)
_PATCHING = (STANDARD, *MUTATING, NAMES)
_GO_NAMES = {"null": "null_type"}
_SCALARS = frozenset((t.BOOL, t.BYTES, t.DOUBLE, t.DURATION, t.INT, t.NULL, t.STRING, t.TIMESTAMP, t.UINT))


def _struct(name: str, /, **fields: AnyType) -> ObjectType:
    return ObjectType(f"kubernetes.{name}", fields={key: Field(key, of) for key, of in fields.items()})


_TEXTS, _TEXT_MAP = list_of(t.STRING), map_of(t.STRING, t.STRING)
_KIND = _struct("GroupVersionKind", group=t.STRING, version=t.STRING, kind=t.STRING)
_RESOURCE = _struct("GroupVersionResource", group=t.STRING, version=t.STRING, resource=t.STRING)
_USER = _struct("UserInfo", username=t.STRING, uid=t.STRING, groups=_TEXTS, extra=map_of(t.STRING, _TEXTS))
_REQUEST = _struct(
    "AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    subResource=t.STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=t.STRING,
    name=t.STRING,
    namespace=t.STRING,
    operation=t.STRING,
    userInfo=_USER,
    dryRun=t.BOOL,
    options=t.DYN,
)
_CONDITION = _struct(
    "NamespaceCondition",
    status=t.STRING,
    type=t.STRING,
    lastTransitionTime=t.TIMESTAMP,
    message=t.STRING,
    reason=t.STRING,
)
_METADATA = _struct(
    "NamespaceMetadata",
    name=t.STRING,
    generateName=t.STRING,
    namespace=t.STRING,
    labels=_TEXT_MAP,
    annotations=_TEXT_MAP,
    UID=t.STRING,
    creationTimestamp=t.TIMESTAMP,
    deletionGracePeriodSeconds=t.INT,
    deletionTimestamp=t.TIMESTAMP,
    generation=t.INT,
    resourceVersion=t.STRING,
    finalizers=_TEXTS,
)
_NAMESPACE = _struct(
    "Namespace",
    metadata=_METADATA,
    spec=_struct("NamespaceSpec", finalizers=_TEXTS),
    status=_struct("NamespaceStatus", conditions=list_of(_CONDITION), phase=t.STRING),
)


@dataclass(frozen=True, slots=True)
class Scope:
    """
    What an expression sees beside the request.

    Attributes:
        has_patches: It may make ``Object`` and ``JSONPatch``.
        variables: Names and types of ``variables``, of those before it; None where there is no such name.
    """

    has_params: bool = False
    has_authorizer: bool = True
    has_patches: bool = False
    variables: tuple[tuple[str, AnyType], ...] | None = None

    def with_variable(self, name: str, of: AnyType) -> Scope:
        """Return the scope of what comes after a variable."""
        kept = tuple(each for each in self.variables or () if each[0] != name)
        return replace(self, variables=(*kept, (name, of)))


@dataclass(frozen=True, slots=True)
class Expression:
    """
    An expression, compiled.

    Attributes:
        program: None when there is an error.
        error: What is wrong, as Kubernetes says it; "" for nothing.
        is_internal: The error is none of types or syntax: a constant part cannot be computed.
    """

    text: str
    program: Program | None = None
    error: str = ""
    is_internal: bool = False

    @property
    def variable_type(self) -> AnyType:
        """The type by which others see a variable that has this expression."""
        return t.DYN if self.program is None else _seen(self.program.result)


def _seen(of: AnyType) -> AnyType:
    """Return the type of a variable: what libraries and objects are is not known any more."""
    if of in _SCALARS:
        return of
    if isinstance(of, Type) and of.name in ("list", "map") and of.parameters:
        return Type(of.name, tuple(map(_seen, of.parameters)))
    return t.DYN


@lru_cache(maxsize=_KEPT)
def compile_expression(text: str, gives: tuple[Type, ...], scope: Scope) -> Expression:
    """
    Compile an expression; the answer is kept.

    Args:
        gives: The types of which its value may be; one of the constants of this module.
        scope: What it sees.
    """
    try:
        program = compile_program(text, _environment(scope))
    except ProgramError as error:
        return Expression(text, error=f"program instantiation failed: {error}", is_internal=True)
    except CompileError as error:
        return Expression(text, error=f"compilation failed: {error}")
    if gives and not any(is_exact(program.result, wanted) for wanted in gives):
        listed = go_name(gives[0]) if len(gives) == 1 else f"one of [{' '.join(map(go_name, gives))}]"
        return Expression(text, error=f"must evaluate to {listed} but got {go_name(program.result)}")
    return Expression(text, program)


def go_name(of: AnyType) -> str:
    """Return a type as cel-go prints it: ``list(string)``, ``null_type``."""
    name = _GO_NAMES.get(of.name, of.name)
    parameters = of.parameters if isinstance(of, Type) else ()
    return f"{name}({', '.join(map(go_name, parameters))})" if parameters else name


@lru_cache(maxsize=_KEPT)
def _environment(scope: Scope) -> Environment:
    variables: dict[str, AnyType] = {OBJECT: t.DYN, OLD_OBJECT: t.DYN, NAMESPACE: _NAMESPACE, REQUEST: _REQUEST}
    if scope.has_params:
        variables[PARAMS] = t.DYN
    if scope.has_authorizer:
        variables |= {AUTHORIZER: AUTHORIZER_TYPE, REQUEST_RESOURCE: RESOURCE_CHECK_TYPE}
    if scope.variables is not None:
        fields = {name: Field(name, of) for name, of in scope.variables}
        variables[VARIABLES] = ObjectType("kubernetes.variables", fields=fields)
    return Environment(variables, _PATCHING if scope.has_patches else _LIBRARIES)
