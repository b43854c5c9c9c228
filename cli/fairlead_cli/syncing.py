"""
``kubectl kcp workload sync``: a SyncTarget upstream, and the manifest of its agent for the cluster.

Other than kcp's, the manifest holds no lasting credential of the control plane: a token for one start, within 15
minutes, and the agent's own key.

Source: kcp v0.11, ``workload sync`` (kcp-workload 3.1).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from fairlead_api import JsonObject
from fairlead_cli import manifests, registering
from fairlead_cli.failure import USAGE, Failure
from fairlead_cli.manifests import Agent
from fairlead_cli.options import Server
from fairlead_cli.session import connected

_MAX_NAME = 254 - 8 - 8 - 8 - 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What to print.

    Attributes:
        labels: Replace those of the SyncTarget when there are any; kcp replaced them always.
        exports: ``path:name``.
        resources: ``plural.group`` beyond what the exports hold.
    """

    name: str
    labels: Mapping[str, str]
    exports: tuple[str, ...]
    resources: tuple[str, ...]
    image: str
    output_file: str
    namespace: str
    kcp_namespace: str
    replicas: int

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any]) -> Wanted:
        """
        Read the command's flags.

        Raises:
            Failure: A value is wrong.
        """
        if len(name) > _MAX_NAME:
            raise Failure(f"the name is too long: {len(name)} of at most {_MAX_NAME} characters", code=USAGE)
        return cls(
            name,
            registering.parse_labels(_split(options["labels"])),
            _split(options["apiexports"]),
            _split(options["resources"]),
            options["syncer_image"] or registering.default_image(),
            options["output_file"],
            options["namespace"],
            options["kcp_namespace"],
            options["replicas"],
        )

    def spec(self) -> JsonObject:
        """Return what the SyncTarget's spec must say."""
        exports = []
        for export in self.exports:
            path, _, name = export.rpartition(":")
            exports.append({"path": path, "export": name} if path else {"export": name})
        return {"supportedAPIExports": exports}


def _split(listed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for part in listed for one in part.split(",") if one)


async def sync(server: Server, wanted: Wanted) -> None:
    """
    Create or update the SyncTarget and write the manifest.

    Raises:
        ApiError: The server refused.
        OSError: The file cannot be written.
    """
    async with connected(server) as session:
        if await registering.find(session.here, wanted.name) is None:
            click.echo(f'Creating synctarget "{wanted.name}"', err=True)
        registration = await registering.register(session.here, wanted.name, wanted.labels or None, spec=wanted.spec())
        token = await registering.bootstrap_token(session, registration)
        agent = await registering.agent_of(session, registration, session.place.front, token)
    agent = _completed(agent, wanted)
    text = manifests.as_text(manifests.kcp_manifest(agent))
    if wanted.output_file == "-":
        click.echo(text, nl=False)
        return
    _write(Path(wanted.output_file), text)
    click.echo(
        f"\nWrote physical cluster manifest to {wanted.output_file} for namespace {agent.home!r}. Use\n\n"
        f"  KUBECONFIG=<pcluster-config> kubectl apply -f {wanted.output_file!r}\n\nto apply it. Use\n\n"
        f"  KUBECONFIG=<pcluster-config> kubectl get deployment -n {agent.home!r} {agent.id}\n\n"
        "to verify the syncer pod is running. The manifest is good for one start within 15 minutes.".replace("'", '"'),
        err=True,
    )


def _completed(agent: Agent, wanted: Wanted) -> Agent:
    further = tuple((group, plural) for plural, _, group in (one.partition(".") for one in wanted.resources))
    return replace(
        agent,
        key=registering.new_key(),
        image=wanted.image,
        replicas=wanted.replicas,
        namespace=wanted.namespace,
        upstream_namespace=wanted.kcp_namespace,
        resources=(*agent.resources, *further),
    )


def _write(path: Path, text: str) -> None:
    """Write the manifest for its owner alone: it holds a credential."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
