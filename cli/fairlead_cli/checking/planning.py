"""Which checks are made, in which order, and how the results are shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import click

from fairlead_api import JsonObject
from fairlead_cli import downstream, registering
from fairlead_cli.checking import before, scheduling, telling
from fairlead_cli.checking.agents import AgentChecks, Way
from fairlead_cli.checking.before import Before
from fairlead_cli.checking.catalogue import AGENT, CLUSTERS, PLANE
from fairlead_cli.checking.catalogue import check as of_catalogue
from fairlead_cli.checking.clusters import Joined
from fairlead_cli.checking.model import Category, Finding, Report
from fairlead_cli.checking.plane import Plane
from fairlead_cli.checking.running import run
from fairlead_cli.failure import FINDINGS, USAGE, Failure
from fairlead_cli.options import Server
from fairlead_cli.process import AgentFolder
from fairlead_cli.registering import AGENT as AGENT_ANNOTATION
from fairlead_cli.registering import CLUSTER_UID
from fairlead_cli.session import duration_s


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    What to check, and how to tell; see the command's help.

    Attributes:
        pre: The cluster that is to be joined; None for those that are.
    """

    pre: before.Wanted | None
    only: tuple[str, ...]
    wait_s: float
    output: str
    state_directory: str

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Wanted:
        """
        Read the command's flags.

        Raises:
            Failure: A value is wrong.
        """
        pre = before.Wanted(
            options["name"],
            options["as_process"],
            options["image"] or registering.default_image(),
            options["probe_namespace"],
            duration_s(options["probe_timeout"]),
        )
        is_pre = bool(options["pre"])
        if is_pre and options["only"]:
            raise Failure("--cluster is for clusters that have been joined, --pre for one that has not", code=USAGE)
        wait_s = duration_s(options["wait"])
        return cls(pre if is_pre else None, options["only"], wait_s, options["output"], options["state_directory"])


async def check(wanted: Wanted, upstream: Server, physical: Server) -> int:
    """Make the checks, show the results, return the exit code."""
    if wanted.pre is not None and not (physical.context or physical.kubeconfig):
        raise Failure("which cluster is to be joined?", fix="name it with --context CONTEXT", code=USAGE)
    if wanted.pre is None and not physical.context:
        # With one file there is no question whose it is; the charts' tests and kubectl's own habit rely on that.
        upstream, physical = replace(upstream, kubeconfig=upstream.kubeconfig or physical.kubeconfig), Server()
    report = Report()
    table = None if wanted.output == "json" else telling.Table(short=wanted.output == "short")
    async with AsyncExitStack() as stack:
        plane = Plane(upstream, stack)
        categories = _plan(plane, wanted, physical, report, stack)
        await run(categories, report, wait_s=wanted.wait_s, listener=table)
    if table is None:
        click.echo(telling.as_json(report))
    else:
        table.verdict(report)
    return 0 if report.success else FINDINGS


async def _plan(
    plane: Plane, wanted: Wanted, physical: Server, report: Report, stack: AsyncExitStack
) -> AsyncIterator[Category]:
    """Yield categories; what follows may depend on what came of those before."""
    yield plane.category()
    if report.is_stopped(PLANE):
        return
    if wanted.pre is not None:
        yield Before(plane, physical, wanted.pre, stack).category()
        return
    yield scheduling.category(plane)
    joined = Joined(plane, wanted.only)
    yield joined.category()
    if report.is_stopped(CLUSTERS):
        return
    targets = await joined.wanted()
    for target in targets:
        yield joined.category_of(target)
    agents = _Agents(plane, joined, stack, wanted.state_directory)
    if physical.context:
        yield await agents.of_context(targets, physical)
        return
    for target in targets:
        found = agents.remembered(target)
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class _Agents:
    """Finds out which agents can be looked at from here."""

    plane: Plane
    joined: Joined
    stack: AsyncExitStack
    state_directory: str

    def remembered(self, target: JsonObject) -> Category | None:
        """Return the checks of an agent whose cluster's context was noted here when it was joined."""
        folder = self._folder(target)
        record = folder.record()
        if record.get("uid") != target["metadata"]["uid"] or not record.get("context"):
            return None
        way = Way(str(record.get("kubeconfig") or ""), str(record["context"]))
        return AgentChecks(self.plane, self.joined, target, way, folder, self.stack).category()

    async def of_context(self, targets: list[JsonObject], physical: Server) -> Category:
        """Return the checks of the agent in the cluster of a context; when there is none, one that says so."""
        from fairlead_machinery.transport import Unreachable  # noqa: PLC0415 - help is fast

        way, uid = Way(physical.kubeconfig, physical.context), ""
        try:
            client, known = await self.stack.enter_async_context(downstream.reached(physical))
            uid = await downstream.cluster_uid(client, known.context)
        except (Failure, Unreachable) as error:
            return self._nobody(physical, str(error))
        for target in targets:
            if (target["metadata"].get("annotations") or {}).get(CLUSTER_UID) == uid:
                folder = self._folder(target)
                return AgentChecks(self.plane, self.joined, target, way, folder, self.stack).category()
        where = self.plane.session.place.path
        return self._nobody(physical, f'the cluster of context "{known.context}" has not been joined in {where}')

    def _nobody(self, physical: Server, why: str) -> Category:
        async def tell() -> Finding:
            return Finding(why, "kubectl fairlead cluster list")

        return Category(AGENT, physical.context, [of_catalogue("agent-cluster", tell)])

    def _folder(self, target: JsonObject) -> AgentFolder:
        metadata = target["metadata"]
        where = (metadata.get("annotations") or {}).get(AGENT_ANNOTATION, "")
        return AgentFolder.of(metadata["name"], metadata["uid"], where, self.state_directory)
