"""The control plane as an agent sees it: the syncer's and the upsyncer's virtual workspaces of one SyncTarget."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from fairlead_api import JsonObject
from fairlead_api.errors import Conflict
from fairlead_machinery.client import Client, Gvr
from fairlead_syncer.target import Key, SyncTarget

_LARGEST_BYTES = 1 << 20


class Upstream:
    """
    Calls of the syncer protocol.

    Args:
        client: At the control plane's base URL, with the agent's token.
        target: Whose agent this is.
        turn: Returns the headers that say in which epoch this agent is at work.
    """

    def __init__(self, client: Client, target: SyncTarget, turn: Callable[[], Mapping[str, str]] = dict) -> None:
        self._turn = turn
        place = f"{target.cluster}/{target.name}/{target.uid}"
        self._syncer = client.below(f"/services/syncer/{place}")
        self._upsyncer = client.below(f"/services/upsyncer/{place}")
        self.views = client.below(f"/services/syncer/{place}/clusters/*")
        """Lists and watches views across all workspaces."""

    async def resources(self) -> list[JsonObject]:
        """Return ``[{group, version, resource, kind, namespaced}]`` that this target must sync."""
        found: list[JsonObject] = (await self._syncer.request("GET", "/resources")).json()["resources"]
        return found

    async def heartbeat(self, body: JsonObject) -> JsonObject:
        """Say that the cluster lives, and what it offers; return ``{intervalSeconds, serverTime}``."""
        answer: JsonObject = (
            await self._syncer.request("POST", "/heartbeat", body=orjson.dumps(body), headers=self._turn())
        ).json()
        return answer

    async def report(self, gvr: Gvr, key: Key, uid: str, status: JsonObject | None, report: JsonObject) -> str:
        """
        Report on one object; return the resourceVersion its view has by that, "" when it is not said.

        Raises:
            Conflict, NotFound: The view is another by now.
        """
        body = {"metadata": {"uid": uid}, "status": status, "report": report}
        path = f"/clusters/{key.cluster}{gvr.path(key.namespace, key.name, 'status')}"
        answer = (await self._syncer.request("PUT", path, body=orjson.dumps(body), headers=self._turn())).json()
        return str(answer.get("resourceVersion") or "") if isinstance(answer, dict) else ""

    async def confirm(self, gvr: Gvr, key: Key, uid: str) -> None:
        """Say that nothing of ours is left of a removed object."""
        path = f"/clusters/{key.cluster}{gvr.path(key.namespace, key.name)}"
        await self._syncer.request("DELETE", path, {"uid": uid}, headers=self._turn())

    async def check(self, gvr: Gvr, key: Key, view: JsonObject, actual: JsonObject) -> None:
        """
        Make sure that a view is what upstream says at this very moment; the last question before anything is deleted.

        Asked as a write, which no cache and no stale replica answers. ``actual``, what is about to be deleted, is kept
        upstream before this returns.

        Raises:
            Conflict, NotFound: It is not: what follows from it must not be done.
        """
        metadata = view["metadata"]
        query = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], "dryRun": "All"}
        path = f"/clusters/{key.cluster}{gvr.path(key.namespace, key.name)}"
        body = _last_seen(actual)
        answer = (await self._syncer.request("DELETE", path, query, body=body, headers=self._turn())).json()
        if answer.get("status") != "Success" or (answer.get("details") or {}).get("uid") != metadata["uid"]:
            raise Conflict("upstream did not say that this is so")

    async def shown_pods(self, cluster: str, namespace: str) -> list[str]:
        """Return the downstream names of the Pods that this target shows in a namespace."""
        path = f"/clusters/{cluster}/api/v1/namespaces/{namespace}/pods"
        names: list[str] = (await self._upsyncer.request("GET", path)).json()["pods"]
        return names

    async def mint(self, cluster: str, namespace: str, account: str, expiration_s: int) -> JsonObject:
        """Return a TokenRequest's status: ``token`` and ``expirationTimestamp``."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": expiration_s},
        }
        path = f"/clusters/{cluster}/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = (await self._syncer.request("POST", path, body=orjson.dumps(body), headers=self._turn())).json()
        status: JsonObject = answer["status"]
        return status

    async def show_pod(self, cluster: str, namespace: str, name: str, body: JsonObject) -> None:
        """Show a Pod upstream: ``{"pod": ..., "owner": {group, resource, name}}``."""
        path = f"/clusters/{cluster}/api/v1/namespaces/{namespace}/pods/{name}"
        await self._upsyncer.request("PUT", path, body=orjson.dumps(body), headers=self._turn())

    async def hide_pod(self, cluster: str, namespace: str, name: str) -> None:
        """Stop showing a Pod."""
        path = f"/clusters/{cluster}/api/v1/namespaces/{namespace}/pods/{name}"
        await self._upsyncer.request("DELETE", path, headers=self._turn())


def _last_seen(actual: JsonObject) -> bytes:
    """Return what is kept of an object that is about to be deleted; nothing of one that is too large to send."""
    metadata = {name: value for name, value in actual["metadata"].items() if name != "managedFields"}
    body = orjson.dumps({"lastSeen": {**actual, "metadata": metadata}})
    return body if len(body) <= _LARGEST_BYTES else b"{}"
