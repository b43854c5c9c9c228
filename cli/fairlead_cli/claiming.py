"""``kubectl kcp bind apiexport``, with answers to permission claims. Source: kcp HEAD (kcp-core 6.6)."""

from __future__ import annotations

from dataclasses import dataclass

import click

from fairlead_api import JsonObject
from fairlead_cli.failure import TIMED_OUT, USAGE, Failure
from fairlead_cli.options import Server
from fairlead_cli.session import Session, connected, until


@dataclass(frozen=True, slots=True)
class Answers:
    """
    What to bind, and what to answer to the claims of its provider.

    Attributes:
        export: ``path:name``.
        name: Of the APIBinding; "" for the export's.
    """

    export: str
    name: str = ""
    accept_permission_claim: tuple[str, ...] = ()
    reject_permission_claim: tuple[str, ...] = ()
    accept_all_permission_claims: bool = False
    reject_all_permission_claims: bool = False

    def split(self) -> tuple[str, str]:
        """
        Return path and name of the export.

        Raises:
            Failure: It is not written so.
        """
        path, _, name = self.export.rpartition(":")
        if not path or not name:
            raise Failure(f'invalid APIExport "{self.export}"', fix="write it as path:name", code=USAGE)
        return path, name


def claim(text: str, state: str) -> JsonObject:
    """
    Return an answered claim of ``resource.group``.

    Raises:
        Failure: There is no dot.
    """
    resource, dot, group = text.partition(".")
    if not dot:
        raise Failure(f'invalid permission claim "{text}"', fix="write it as resource.group, or resource.core")
    return _answered({"resource": resource, "group": "" if group == "core" else group}, state)


def _answered(asked: JsonObject, state: str) -> JsonObject:
    known = {key: asked[key] for key in ("group", "resource", "identityHash") if asked.get(key)}
    return {**known, "all": True, "state": state}


async def bind_apiexport(server: Server, answers: Answers, timeout_s: float) -> None:
    """
    Create the APIBinding and wait until it is bound.

    Raises:
        Failure: It is not bound in time.
        ApiError: The server refused.
    """
    from fairlead_cli.kinds import API_BINDINGS  # noqa: PLC0415 - only to talk

    path, export = answers.split()
    name = answers.name or export
    async with connected(server) as session:
        spec: JsonObject = {"reference": {"export": {"path": path, "name": export}}}
        if claims := await _claims(session, answers):
            spec["permissionClaims"] = claims
        body = {"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIBinding", "metadata": {"name": name}, "spec": spec}
        await session.here.create(API_BINDINGS, body)
        click.echo(f"apibinding {name} created. Waiting to successfully bind ...")
        seen: JsonObject = {}

        async def bound() -> bool | None:
            nonlocal seen
            seen = await session.here.get(API_BINDINGS, name)
            return True if (seen.get("status") or {}).get("phase") == "Bound" else None

        if await until(bound, timeout_s) is None:
            conditions = (seen.get("status") or {}).get("conditions") or ()
            why = next((one["message"] for one in conditions if one.get("message")), "timed out")
            raise Failure(f"could not bind {name}: {why}", code=TIMED_OUT)
        click.echo(f"{name} created and bound.")


async def _claims(session: Session, answers: Answers) -> list[JsonObject]:
    from fairlead_cli.kinds import API_EXPORTS  # noqa: PLC0415 - only to talk

    if answers.accept_all_permission_claims or answers.reject_all_permission_claims:
        if answers.accept_all_permission_claims and answers.reject_all_permission_claims:
            raise Failure("all permission claims cannot be both accepted and rejected", code=USAGE)
        path, name = answers.split()
        export = await session.top.at(path).get(API_EXPORTS, name)
        state = "Accepted" if answers.accept_all_permission_claims else "Rejected"
        return [_answered(one, state) for one in (export.get("spec") or {}).get("permissionClaims") or ()]
    accepted = [claim(one, "Accepted") for one in answers.accept_permission_claim]
    return accepted + [claim(one, "Rejected") for one in answers.reject_permission_claim]
