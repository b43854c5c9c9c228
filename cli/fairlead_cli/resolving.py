"""From ``TYPE/NAME`` as people write it to an object, by the workspace's own discovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead_api import JsonObject
from fairlead_api.errors import NotFound
from fairlead_cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from fairlead_machinery.client import Client, Gvr

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource of a workspace; ``singular`` is what people call one."""

    gvr: Gvr
    singular: str
    namespaced: bool

    @property
    def qualified(self) -> str:
        """Return what ``-o name`` prints before the slash."""
        return ".".join(part for part in (self.singular, self.gvr.group) if part)


def split(text: str) -> tuple[str, str]:
    """
    Return type and name of ``TYPE/NAME``.

    Raises:
        Failure: It is not written so.
    """
    kind, slash, name = text.partition("/")
    if not slash or not kind or not name or "/" in name:
        raise Failure(f'"{text}" names nothing', fix="write it as TYPE/NAME, such as deployment/web", code=USAGE)
    return kind, name


async def find_kind(workspace: Client, said: str) -> Kind:
    """
    Return the resource a word means: plural, singular, kind or short name, with ``.group`` or without.

    Raises:
        Failure: The workspace has none of that name.
    """
    word, _, group = said.lower().partition(".")
    for path in ("/api", "/apis"):
        try:
            answer = (await workspace.request("GET", path, headers={"Accept": AGGREGATED})).json()
        except NotFound:
            continue
        if (found := _search(answer, word, group)) is not None:
            return found
    raise Failure(
        f'the workspace has no resource type "{said}"',
        fix="kubectl api-resources; workloads need: kubectl kcp bind compute WORKSPACE",
    )


def _search(document: JsonObject, word: str, group: str) -> Kind | None:
    from fairlead_machinery.client import Gvr  # noqa: PLC0415 - only to talk

    for item in document.get("items") or ():
        name = str(item["metadata"].get("name", ""))
        if group and name != group and not name.startswith(group + "."):
            continue
        for version in item.get("versions") or ():
            for resource in version.get("resources") or ():
                if word in _words(resource):
                    singular = resource.get("singularResource") or resource["responseKind"]["kind"].lower()
                    gvr = Gvr(name, version["version"], resource["resource"])
                    return Kind(gvr, singular, resource.get("scope") == "Namespaced")
    return None


def _words(resource: JsonObject) -> set[str]:
    kind = str((resource.get("responseKind") or {}).get("kind", "")).lower()
    return {resource["resource"], resource.get("singularResource", ""), kind, *(resource.get("shortNames") or ())}
