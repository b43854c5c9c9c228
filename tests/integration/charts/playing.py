"""A pod's containers run from the image's folder: what a kubelet would mount is laid out, and the command started."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fairlead_api import JsonObject

USER = 65532
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True, slots=True)
class Container:
    """What a runtime is told: command, environment without references, and folders by where they are mounted."""

    command: tuple[str, ...]
    volumes: dict[str, Path]


def lay_out(spec: JsonObject, secrets: Mapping[str, JsonObject], folder: Path) -> dict[str, Path]:
    """
    Make a pod's volumes as a kubelet does with an fsGroup: the group may write, files of Secrets may be read by it.

    Args:
        spec: Of the pod.
        secrets: By name.
        folder: Where they are made, one folder each, by the volume's name.
    """
    group = spec["securityContext"]["fsGroup"]
    made = {}
    for volume in spec["volumes"]:
        place = made[volume["name"]] = folder / volume["name"]
        place.mkdir(exist_ok=True)
        os.chown(place, 0, group)
        place.chmod(0o2775)
        if "secret" in volume:
            source = secrets[volume["secret"]["secretName"]]
            data = {name: base64.b64decode(value) for name, value in source.get("data", {}).items()}
            data |= {name: value.encode() for name, value in source.get("stringData", {}).items()}
            for name, content in data.items():
                file = place / name
                file.write_bytes(content)
                os.chown(file, 0, group)
                file.chmod(volume["secret"]["defaultMode"])
    return made


def container(given: JsonObject, volumes: Mapping[str, Path]) -> Container:
    """Return what to run for one container of a pod."""
    mounts = {}
    for mount in given["volumeMounts"]:
        inside = mount.get("subPath", "")
        mounts[mount["mountPath"]] = volumes[mount["name"]] / inside if inside else volumes[mount["name"]]
    return Container((*given["command"], *given.get("args", ())), mounts)
