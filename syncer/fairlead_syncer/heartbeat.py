"""Says that the cluster lives and what it offers, and learns what to sync."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from importlib import metadata

import structlog

from fairlead_api import JsonObject
from fairlead_api.errors import ApiError, Conflict, Unauthorized
from fairlead_machinery.client import Client, Gvr
from fairlead_machinery.transport import Unreachable
from fairlead_syncer.deletions import Deletions
from fairlead_syncer.feeds import Feeds
from fairlead_syncer.rights import Rights
from fairlead_syncer.upstream import Upstream
from fairlead_transforms import policy
from fairlead_transforms.policy import TenantPolicy

_VERSION = metadata.version("fairlead")
_RETRY_S, _LONGEST_RETRY_S = 1.0, 10.0
_MOST_ASKED_S = 20.0
"""Longest ``Retry-After`` that is kept."""
_SETTLE_S = 0.5
"""How long a set of held deletions may grow before it is told: a burst is told a few times, not once an object."""
_LONGEST_WHY = 1000
_MOST_KINDS = 5
_REVIEW_S = 300.0
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_log = structlog.get_logger(__name__)


class Heartbeat:
    """One loop: look at the cluster, speak, follow what is asked."""

    def __init__(  # noqa: PLR0913 - its surroundings
        self,
        upstream: Upstream,
        cluster: Client,
        feeds: Feeds,
        deletions: Deletions,
        *,
        refused: Callable[[], None],
        enforce: Callable[[TenantPolicy], None],
        rights: Rights,
    ) -> None:
        """Take what to call when our token is ``refused``, and with the policy to ``enforce``."""
        self._upstream = upstream
        self._cluster = cluster
        self._feeds = feeds
        self._deletions = deletions
        self._refused = refused
        self._enforce = enforce
        self._rights = rights
        self.wish: Callable[[str], Awaitable[None]] = _pass_over
        """Called with the thumbprint of a key that is to be replaced."""
        self._reviewed: tuple[float, list[Gvr], list[Gvr], list[Gvr]] | None = None

    async def run(self) -> None:
        """Beat for ever."""
        retry_s = _RETRY_S
        while True:
            # A control plane that comes back is not met by all its agents at once, nor by each every second before.
            interval_s, retry_s = retry_s * (0.75 + random.random() / 2), min(retry_s * 2, _LONGEST_RETRY_S)
            try:
                interval_s = await self.beat()
                retry_s = _RETRY_S
            except (ApiError, Unreachable) as error:
                _log.warning("no heartbeat", error=str(error))
                if isinstance(error, ApiError):
                    interval_s = min(max(interval_s, error.retry_after_s), _MOST_ASKED_S)
                if isinstance(error, Unauthorized):
                    self._refused()
            except Exception:  # noqa: BLE001 - the worker loop: a senseless answer must not end the agent
                _log.exception("no heartbeat")
            await self._pause(interval_s)

    async def _pause(self, interval_s: float) -> None:
        """Wait for the next beat, which comes early when others are held, or more have passed, than were told."""
        try:
            async with asyncio.timeout(interval_s):
                await self._deletions.news.wait()
        except TimeoutError:
            return
        await asyncio.sleep(min(_SETTLE_S, interval_s))

    async def beat(self) -> float:
        """Send one heartbeat; return the seconds until the next."""
        try:
            apis, _ = await self._discover()
            version = (await self._cluster.request("GET", "/version")).json().get("gitVersion", "")
        except (ApiError, Unreachable) as error:
            await self._alarm(error)
            raise
        body: JsonObject = {
            "syncerVersion": _VERSION,
            "properties": {"kubernetesVersion": version},
            "apis": apis,
        }
        resources = await self._upstream.resources()
        gvrs = [
            Gvr(one["group"], one["version"], one["resource"])
            for one in resources
            if (one["group"], one["resource"]) != ("", "namespaces")
        ]
        allowed, refused = await self._allowed(gvrs)
        body["authorized"] = self._authorized(refused)
        leftovers = self._feeds.leftovers()
        if leftovers is not None:
            body["leftovers"] = leftovers
        answer = await self._speak(body)
        if answer.get("podSecurity"):
            self._enforce(policy.parse(str(answer["podSecurity"]), answer.get("tenantPolicy") or {}))
        await self.wish(str(answer.get("rotateKey") or ""))
        await self._feeds.follow(allowed)
        return await self._follow_news(gvrs, float(answer.get("intervalSeconds", 20)))

    def _authorized(self, refused: Sequence[Gvr]) -> JsonObject:
        """Return the condition of our rights: what we may not write, and what we may not see and so not end."""
        unseen = self._rights.unseen
        said = ["the agent may not write: " + ", ".join(str(gvr) for gvr in refused)] if refused else []
        if unseen:
            kinds = ", ".join(sorted({kind for kinds in unseen.values() for kind in kinds})[:_MOST_KINDS])
            places = ", ".join(sorted(unseen)[:_MOST_KINDS])
            said.append(
                f"the agent may not list {kinds}, so whether namespaces that must go ({len(unseen)}: {places}) "
                "are empty cannot be seen: run 'kubectl fairlead cluster join' again"
            )
        if not said:
            return {"status": "True"}
        refusal = {"status": "False", "severity": "Error", "reason": "SyncerUnauthorized"}
        return {**refusal, "message": "; ".join(said)}

    async def _alarm(self, error: ApiError | Unreachable) -> None:
        """Say that the cluster does not answer us, or no longer takes our credential; nothing else follows from it."""
        why = f"{error.code} {error.message}" if isinstance(error, ApiError) else str(error)
        _log.error("the cluster cannot be spoken to", error=why)
        await self._upstream.heartbeat({"syncerVersion": _VERSION, "clusterLost": why[:_LONGEST_WHY]})

    async def _speak(self, body: JsonObject) -> JsonObject:
        """Send a heartbeat, with what is held once that can be known, and take note of what is approved."""
        held = self._deletions.summary() if self._deletions.has_begun else None
        if held is not None:
            body |= {"held": held, "passed": self._deletions.passed()}
        answer = await self._upstream.heartbeat(body)
        if held is None:
            were_held, passed = bool(answer.get("deletionsHeld")), answer.get("deletionsPassed") or ()
            self._deletions.begin(were_held=were_held, passed=passed)
        else:
            self._deletions.told(held)
        self._deletions.approve(str(answer.get("approvedDeletions") or ""))
        return answer

    async def _follow_news(self, gvrs: Sequence[Gvr], interval_s: float) -> float:
        """Ask again at once when our own words changed what we must sync (the first heartbeat does)."""
        now = await self._upstream.resources()
        names = {(one["group"], one["resource"]) for one in now} - {("", "namespaces")}
        return 0.0 if names != {(gvr.group, gvr.resource) for gvr in gvrs} else interval_s

    async def listable(self) -> list[Gvr]:
        """Return every namespaced resource that can be listed, as the cluster says now."""
        _, listable = await self._discover()
        if not listable:
            raise Conflict("the cluster names no resources")
        return listable

    async def _discover(self) -> tuple[list[JsonObject], list[Gvr]]:
        """Return ``[{group, resource, versions}]`` of all namespaced resources, and which can be listed."""
        found: dict[tuple[str, str], list[str]] = {}
        listable = []
        for path in ("/api", "/apis"):
            document = (await self._cluster.request("GET", path, headers={"Accept": _AGGREGATED})).json()
            for group, version, resource in _resources(document):
                if resource.get("scope") != "Namespaced":
                    continue
                found.setdefault((group, resource["resource"]), []).append(version)
                if "list" in resource.get("verbs", ()) and len(found[group, resource["resource"]]) == 1:
                    listable.append(Gvr(group, version, resource["resource"]))
        apis = [{"group": group, "resource": name, "versions": versions} for (group, name), versions in found.items()]
        return apis, listable

    async def _allowed(self, gvrs: Sequence[Gvr]) -> tuple[list[Gvr], list[Gvr]]:
        """Ask the cluster what we may do, now and then."""
        now_s = asyncio.get_running_loop().time()
        kept = self._reviewed
        if kept is not None and kept[1] == gvrs and now_s - kept[0] < _REVIEW_S and not kept[3]:
            return kept[2], kept[3]
        allowed, refused = await self._rights.review(gvrs)
        self._reviewed = (now_s, list(gvrs), allowed, refused)
        return allowed, refused


async def _pass_over(wish: str) -> None:
    """Do nothing about a wish."""
    del wish


def _resources(document: JsonObject) -> list[tuple[str, str, JsonObject]]:
    """Return (group, version, resource) of an aggregated discovery document, preferred versions first."""
    return [
        (group["metadata"].get("name", ""), version["version"], resource)
        for group in document.get("items", ())
        for version in group.get("versions", ())
        for resource in version.get("resources", ())
    ]
