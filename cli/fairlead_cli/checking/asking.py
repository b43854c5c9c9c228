"""What checks ask of any API server, beyond objects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from fairlead_api import JsonObject
from fairlead_machinery.client import Answer, Gvr
from fairlead_machinery.transport import Unreachable

if TYPE_CHECKING:
    from fairlead_machinery.client import Client

T = TypeVar("T")
ANSWER_S = 10.0
_REVIEWS = Gvr("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_AT_ONCE = 8


class Kept(Generic[T]):
    """A value that is read once, until it is forgotten."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._values: list[T] = []

    async def __call__(self) -> T:
        """Return the value."""
        if not self._values:
            self._values.append(await self._read())
        return self._values[0]

    def forget(self) -> None:
        """Have it read anew."""
        self._values.clear()


async def raw(client: Client, path: str, query: Mapping[str, str] | None = None) -> Answer:
    """
    Return the answer to a GET, whatever its status.

    Raises:
        Unreachable: None came in time.
    """
    try:
        async with (
            asyncio.timeout(ANSWER_S),
            client.stream("GET", path, query, open_timeout_s=ANSWER_S) as response,
        ):
            return Answer(response.status, response.headers, await response.read())
    except TimeoutError as error:
        raise Unreachable(f"GET {client.host}{path}: no answer within {ANSWER_S:g} s") from error


async def clock_offset_s(client: Client) -> float | None:
    """Return by how many seconds a server's clock is ahead of ours, half a second more or less; None if untold."""
    before = datetime.now(UTC)
    answer = await raw(client, "/version")
    after = datetime.now(UTC)
    told = answer.headers.get("Date", "")
    if not told:
        return None
    server = parsedate_to_datetime(told)
    # It is cut to whole seconds; the half makes the error the same in both directions.
    return (server - before - (after - before) / 2).total_seconds() + 0.5


async def git_version(client: Client) -> str:
    """Return a server's ``gitVersion``."""
    return str((await client.request("GET", "/version")).json().get("gitVersion", ""))


async def may(client: Client, gvr: Gvr, verb: str, namespace: str = "", name: str = "") -> bool:
    """Tell whether the user may do something."""
    attributes = {"group": gvr.group, "resource": gvr.resource, "verb": verb, "namespace": namespace, "name": name}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    answer = await client.create(_REVIEWS, body)
    return bool((answer.get("status") or {}).get("allowed"))


async def refused(client: Client, wanted: Iterable[tuple[Gvr, str, str]]) -> list[str]:
    """Return what the user may not do of (resource, verb, namespace): ``get/list pods in x``, a text a resource."""
    limit = asyncio.Semaphore(_AT_ONCE)
    asked = list(dict.fromkeys(wanted))

    async def ask(gvr: Gvr, verb: str, namespace: str) -> bool:
        async with limit:
            return await may(client, gvr, verb, namespace)

    answers = await asyncio.gather(*(ask(*one) for one in asked))
    verbs: dict[str, list[str]] = {}
    for (gvr, verb, namespace), allowed in zip(asked, answers, strict=True):
        if not allowed:
            what = ".".join(part for part in (gvr.resource, gvr.group) if part)
            verbs.setdefault(what + (f" in {namespace}" if namespace else ""), []).append(verb)
    return [f"{'/'.join(some_verbs)} {what}" for what, some_verbs in verbs.items()]


class Discovery:
    """Finds the resource of a kind, as the server names it; each group and version is asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[str, list[JsonObject]] = {}

    async def resources(self, api_version: str) -> list[JsonObject]:
        """Return the entries of an APIResourceList; none for a version that is not served."""
        if api_version not in self._known:
            prefix = "/apis/" if "/" in api_version else "/api/"
            answer = await raw(self._client, prefix + api_version)
            self._known[api_version] = answer.json().get("resources") or [] if answer.code == 200 else []
        return self._known[api_version]

    async def of(self, body: JsonObject) -> tuple[Gvr, bool] | None:
        """Return an object's resource and whether it is namespaced; None when the server does not have its kind."""
        group, _, version = body["apiVersion"].rpartition("/")
        for entry in await self.resources(body["apiVersion"]):
            if entry["kind"] == body["kind"] and "/" not in entry["name"]:
                return Gvr(group, version, entry["name"]), bool(entry.get("namespaced"))
        return None


def count(number: int, word: str) -> str:
    """Return ``1 namespace`` or ``2 namespaces``."""
    return f"{number} {word}" + ("" if number == 1 else "s")


def some(texts: Iterable[str], most: int = 5) -> str:
    """Return the first few of some texts, and how many there are beyond."""
    found = list(texts)
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return ", ".join([*found[:most], *more])
