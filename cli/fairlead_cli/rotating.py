"""
``kubectl fairlead cluster rotate``: give an agent another key; the old one opens nothing from then on.

A process replaces its own key, asked by an annotation that names the one to go. The key of a Deployment lies in its
Secret, which the agent cannot write: there the next key is put beside the old one, pinned, and then takes its place.
Each step may be the last: the same command goes on where it was.
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING

import click

from fairlead_api.errors import NotFound
from fairlead_api.names import syncer_id
from fairlead_cli import downstream, registering
from fairlead_cli.failure import Failure
from fairlead_cli.options import Server
from fairlead_cli.process import IN_CLUSTER
from fairlead_cli.registering import Registration
from fairlead_cli.session import Session, connected, duration_s, timed_out, until

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

ROTATE = "workload.fairlead.io/rotate-key"


async def rotate(name: str, *, upstream: Server, physical: Server, namespace: str, within: str) -> None:
    """
    Replace the key of a SyncTarget's agent.

    Raises:
        Failure: No agent has one, or it could not be replaced in time.
    """
    timeout_s = duration_s(within)
    async with connected(upstream) as session:
        registration = await registering.get(session, name)
        old = registering.pinned_key(registration.target)
        if not old:
            raise Failure(f"no agent has enrolled for {name}", fix=f"kubectl fairlead cluster join {name}")
        where = (registration.target["metadata"].get("annotations") or {}).get(registering.AGENT, "")
        if where == IN_CLUSTER:
            async with downstream.reached(physical) as (cluster, local):
                uid = await downstream.cluster_uid(cluster, local.context)
                registering.check_context(registration.target, uid, local.context)
                await _in_secret(session, registration, cluster, namespace)
        else:
            await _ask(session, registration, old, timeout_s)
    click.echo(f"the key of {name} was replaced")


async def _ask(session: Session, registration: Registration, old: str, timeout_s: float) -> None:
    from fairlead_cli.kinds import SYNC_TARGETS  # noqa: PLC0415 - only to talk

    name = registration.name
    await session.here.patch(SYNC_TARGETS, name, {"metadata": {"annotations": {ROTATE: old}}})

    async def replaced() -> bool | None:
        found = await registering.find(session.here, name)
        return True if found is not None and registering.pinned_key(found) not in {"", old} else None

    if await until(replaced, timeout_s) is None:
        fix = f"it is asked with its next heartbeat; see kubectl fairlead cluster describe {name}"
        raise timed_out(f"the agent of {name} has not replaced its key yet", fix=fix)


async def _in_secret(session: Session, registration: Registration, cluster: Client, namespace: str) -> None:
    """Replace the key in a Secret; agents take it from there, without a restart, once it is in their files."""
    from fairlead_cli.kinds import SECRETS  # noqa: PLC0415 - only to talk
    from fairlead_machinery import agentkeys  # noqa: PLC0415 - slow to load
    from fairlead_machinery.agentkeys import KEY, MARKS, NEXT_KEY  # noqa: PLC0415

    agent_id = syncer_id(registration.name, registration.uid)
    home = namespace or agent_id
    try:
        secret = await cluster.get(SECRETS, agent_id, namespace=home)
        data = {name: base64.b64decode(value) for name, value in (secret.get("data") or {}).items()}
        old = agentkeys.from_pem(data[KEY])
    except (NotFound, KeyError, ValueError) as error:
        fix = "say in which namespace its Secret is: --namespace"
        raise Failure(f"the key of {registration.name} is not in Secret {home}/{agent_id}", str(error), fix) from error

    async def write(fields: dict[str, bytes | None]) -> None:
        encoded = {name: value and base64.b64encode(value).decode() for name, value in fields.items()}
        await cluster.patch(SECRETS, agent_id, {"data": encoded}, namespace=home)

    if NEXT_KEY not in data:
        data[NEXT_KEY] = agentkeys.to_pem(agentkeys.new_key())
        await write({NEXT_KEY: data[NEXT_KEY], MARKS: data.get(MARKS) or agentkeys.marks_of(old)})
    await _pin(session, registration, agentkeys.from_pem(data[NEXT_KEY]))
    await write({KEY: data[NEXT_KEY], NEXT_KEY: None})


async def _pin(session: Session, registration: Registration, key: object) -> None:
    """Have the control plane know a key as the agent's; harmless when it does."""
    from fairlead_machinery import agentkeys  # noqa: PLC0415 - slow to load

    assert isinstance(key, agentkeys.Key)
    token = await registering.bootstrap_token(session, registration)
    path = f"/services/syncer/{registration.cluster}/{registration.name}/{registration.uid}/enroll"
    body = {"publicKey": agentkeys.public_jwk(key), "proof": agentkeys.proof(key, path, time.time())}
    headers = {"Authorization": f"Bearer {token}"}
    await session.top.request("POST", path, body=json.dumps(body).encode(), headers=headers)
