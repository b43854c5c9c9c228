"""
``bind compute``: bringing the compute API into a workspace and saying where its namespaces go.

Source: kcp v0.11, ``kubectl kcp bind compute`` (kcp-workload 3.2), without its comma mistake in selectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from fairlead_api import JsonObject, names, selectors
from fairlead_api.errors import AlreadyExists
from fairlead_cli.failure import TIMED_OUT, USAGE, Failure
from fairlead_cli.session import until

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

DEFAULT_EXPORT = "root:compute:kubernetes"
_SIMPLE = frozenset({selectors.EQUALS, selectors.DOUBLE_EQUALS})
_OPERATORS = {
    selectors.IN: "In",
    selectors.NOT_IN: "NotIn",
    selectors.EXISTS: "Exists",
    selectors.ABSENT: "DoesNotExist",
}


@dataclass(frozen=True, slots=True)
class ComputeRequest:
    """
    What ``bind compute`` is asked for.

    Attributes:
        location_workspace: Path of the workspace with the Locations.
        exports: ``path:name`` of each APIExport to bind.
        namespace_selector: Text form; "" for all namespaces.
        location_selectors: Text forms, one of which must match; ``""`` matches all.
        name: Of the Placement; "" for the one kcp computes.
    """

    location_workspace: str
    exports: tuple[str, ...] = (DEFAULT_EXPORT,)
    namespace_selector: str = ""
    location_selectors: tuple[str, ...] = ("",)
    name: str = ""

    def placement(self) -> JsonObject:
        """Return the Placement to create."""
        computed = names.placement_default_name(
            self.namespace_selector, self.location_selectors, self.location_workspace
        )
        return {
            "apiVersion": "scheduling.kcp.io/v1alpha1",
            "kind": "Placement",
            "metadata": {"name": self.name or computed},
            "spec": {
                "namespaceSelector": selector_object(self.namespace_selector),
                "locationSelectors": [selector_object(one) for one in self.location_selectors],
                "locationResource": {"group": "workload.kcp.io", "version": "v1alpha1", "resource": "synctargets"},
                "locationWorkspace": self.location_workspace,
            },
        }


def selector_object(text: str) -> JsonObject:
    """
    Return the LabelSelector object that a text such as ``a=b,c in (d,e)`` means.

    Raises:
        Failure: It cannot be read, or uses an operator such an object does not know.
    """
    try:
        parsed = selectors.parse_labels(text)
    except selectors.SelectorError as error:
        raise Failure(f'invalid label selector "{text}"', str(error), code=USAGE) from error
    body: JsonObject = {}
    for requirement in parsed.requirements:
        if requirement.operator in _SIMPLE:
            body.setdefault("matchLabels", {})[requirement.key] = requirement.values[0]
        elif requirement.operator in _OPERATORS:
            expression: JsonObject = {"key": requirement.key, "operator": _OPERATORS[requirement.operator]}
            if requirement.values:
                expression["values"] = list(requirement.values)
            body.setdefault("matchExpressions", []).append(expression)
        elif requirement.operator == selectors.NOT_EQUALS:
            # "!=" says what NotIn of one value says.
            expression = {"key": requirement.key, "operator": "NotIn", "values": list(requirement.values)}
            body.setdefault("matchExpressions", []).append(expression)
        else:
            raise Failure(f'invalid label selector "{text}"', f"operator {requirement.operator}", code=USAGE)
    return body


async def bind(workspace: Client, request: ComputeRequest, timeout_s: float = 30.0) -> str:
    """
    Bind the exports and create the Placement, without waiting for a cluster; return the Placement's name.

    Raises:
        Failure: A binding does not become Bound in time.
        ApiError: The server refused, also ``AlreadyExists`` of the Placement.
    """
    from fairlead_cli.kinds import PLACEMENTS  # noqa: PLC0415 - only to talk

    placement = request.placement()  # bad selectors are refused before anything is made
    await _bind_exports(workspace, request.exports, timeout_s)
    await workspace.create(PLACEMENTS, placement)
    return str(placement["metadata"]["name"])


async def bind_and_wait(workspace: Client, request: ComputeRequest, timeout_s: float) -> None:
    """
    Do all of ``bind compute``: bind, place, wait until the Placement is scheduled and ready; say so as kcp does.

    Raises:
        Failure: Something is not ready in time.
        ApiError: The server refused.
    """
    from fairlead_cli.kinds import PLACEMENTS  # noqa: PLC0415 - only to talk

    name = str(request.placement()["metadata"]["name"])
    try:
        await bind(workspace, request, timeout_s)
        click.echo(f"placement {name} created.")
    except AlreadyExists:
        click.echo(f"placement {name} already exists.")
    seen: JsonObject = {}

    async def ready() -> JsonObject | None:
        nonlocal seen
        seen = await workspace.get(PLACEMENTS, name)
        return seen if not placement_problem(seen) else None

    if await until(ready, timeout_s) is None:
        raise Failure(f'placement "{name}" not ready: {placement_problem(seen)}', code=TIMED_OUT)
    click.echo(f'Placement "{name}" is ready.', err=True)


def placement_problem(placement: JsonObject) -> str:
    """Return why a Placement is not ready yet; "" when it is."""
    known = {one["type"]: one for one in (placement.get("status") or {}).get("conditions") or ()}
    for kind, text in (("Scheduled", "placement is not scheduled"), ("Ready", "placement is not ready")):
        condition = known.get(kind) or {}
        if condition.get("status") != "True":
            return f"{text}: {condition.get('message', '')}".rstrip(": ")
    return ""


async def _bind_exports(workspace: Client, exports: tuple[str, ...], timeout_s: float) -> None:
    from fairlead_cli.kinds import API_BINDINGS  # noqa: PLC0415 - only to talk

    existing, _ = await workspace.list(API_BINDINGS)
    by_export = {_reference(one): one["metadata"]["name"] for one in existing}
    wanted: list[str] = []
    for export in exports:
        path, _, name = export.rpartition(":")
        if not path or not name:
            raise Failure(f'invalid APIExport "{export}"', fix="write it as path:name", code=USAGE)
        if (path, name) not in by_export:
            click.echo(f'Binding APIExport "{export}".', err=True)
            made = await workspace.create(API_BINDINGS, binding(path, name))
            by_export[path, name] = made["metadata"]["name"]
        wanted.append(by_export[path, name])
    seen: dict[str, JsonObject] = {}

    async def bound() -> bool | None:
        for one in wanted:
            seen[one] = await workspace.get(API_BINDINGS, one)
        return True if all(_is_bound(one) for one in seen.values()) else None

    if await until(bound, timeout_s) is None:
        late = [f"{name} ({_why(one)})" for name, one in seen.items() if not _is_bound(one)]
        raise Failure("APIBindings not ready: " + ", ".join(late), code=TIMED_OUT)


def binding(path: str, export: str) -> JsonObject:
    """Return an APIBinding to an export, named as kcp names it."""
    reference = {"export": {"path": path, "name": export}}
    return {
        "apiVersion": "apis.kcp.io/v1alpha1",
        "kind": "APIBinding",
        "metadata": {"name": names.apibinding_name(export, path)},
        "spec": {"reference": reference},
    }


def _reference(one: JsonObject) -> tuple[str, str]:
    export = (one["spec"].get("reference") or {}).get("export") or {}
    return str(export.get("path", "")), str(export.get("name", ""))


def _is_bound(one: JsonObject) -> bool:
    return bool((one.get("status") or {}).get("phase") == "Bound")


def _why(one: JsonObject) -> str:
    conditions = (one.get("status") or {}).get("conditions") or ()
    return next((c["message"] for c in conditions if c.get("status") == "False" and c.get("message")), "not bound yet")
