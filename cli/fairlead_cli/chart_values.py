"""An agent as values of the chart ``fairlead-syncer``. Pure; a test compares what the chart makes of them."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_api import JsonObject
from fairlead_api.names import sync_target_key
from fairlead_cli.manifests import Agent


def chart_values(agent: Agent) -> JsonObject:
    """Return what has to be given to the chart for this agent; the chart's namespace is the release's."""
    control_plane: JsonObject = {"url": agent.server, "ca": agent.ca, "namespace": agent.upstream_namespace}
    key = sync_target_key(agent.cluster, agent.name)
    values: JsonObject = {
        "agentId": agent.id,
        "syncTarget": {"name": agent.name, "uid": agent.uid, "cluster": agent.cluster, "key": key},
        "controlPlane": control_plane,
        "credentials": {"bootstrapToken": agent.bootstrap_token, "key": agent.key},
        "syncedResources": _names(agent.resources),
        "listedResources": _names(agent.listed),
        "wide": agent.wide,
        "policy": {"enabled": agent.policy, "allowPrivileged": agent.privileged},
        "replicaCount": agent.replicas,
        "image": _image(agent.image),
    }
    if agent.arguments:
        values["extraArgs"] = list(agent.arguments)
    return values


def as_text(agent: Agent) -> str:
    """Return the values as YAML, with a word on what they hold."""
    import yaml  # noqa: PLC0415 - 20 ms that other commands need not pay

    head = "# Values of the chart fairlead-syncer. They hold the agent's credentials: keep them to yourself.\n"
    return head + yaml.safe_dump(chart_values(agent), sort_keys=False, allow_unicode=True)


def _names(resources: Iterable[tuple[str, str]]) -> list[str]:
    """Write resources as ``plural.group``."""
    return sorted({f"{plural}.{group}" if group else plural for group, plural in resources})


def _image(image: str) -> JsonObject:
    """Take an image's name apart; a colon before the last slash belongs to the registry's port."""
    if "@" in image:
        name, _, digest = image.partition("@")
        return {"repository": _split_tag(name)[0], "digest": digest}
    repository, tag = _split_tag(image)
    return {"repository": repository, "tag": tag or "latest"}


def _split_tag(image: str) -> tuple[str, str]:
    folder, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return folder + slash + name, tag
