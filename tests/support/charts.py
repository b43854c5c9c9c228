"""
The charts for tests: real helm, what it renders as objects, and the table of values in a chart's README.

``python -m tests.support.charts`` writes the tables anew.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from fairlead_api import JsonObject
from tests.support.binaries import KUBERNETES_VERSION, binary

CHARTS = Path(__file__).parents[2] / "charts"
CONTROL_PLANE, SYNCER = CHARTS / "fairlead", CHARTS / "fairlead-syncer"
HELM_TIMEOUT_S = 120
_BEGIN, _END = "<!-- values: generated -->\n", "<!-- end -->"


class HelmFailed(AssertionError):
    """helm ended with another code than 0; the message holds what it wrote."""


@dataclass(frozen=True, slots=True)
class Helm:
    """
    Real helm with a home of its own.

    Attributes:
        kubeconfig: Of the cluster it works on; None where it only renders.
    """

    home: Path
    kubeconfig: Path | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What keeps it from reading and writing its user's files."""
        folders = {f"HELM_{kind}_HOME": str(self.home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
        return folders | ({"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {})

    def __call__(self, *arguments: str | Path, values: JsonObject | None = None) -> str:
        """
        Run helm and return its standard output.

        Args:
            values: Given as a values file of their own.

        Raises:
            HelmFailed: It ended with another code than 0.
        """
        command = [str(binary("helm")), *map(str, arguments), *(["--values=-"] if values is not None else [])]
        done = subprocess.run(
            command, input=json.dumps(values or {}), capture_output=True, text=True, check=False,
            timeout=HELM_TIMEOUT_S, env={"HOME": str(self.home), "PATH": "/usr/bin:/bin", **self.environment},
        )  # fmt: skip
        if done.returncode:
            raise HelmFailed(f"helm {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout

    def render(
        self, chart: Path, values: JsonObject | None = None, *, release: str = "demo", namespace: str = "demo"
    ) -> list[JsonObject]:
        """Return what the chart makes of the values, hooks included, in the order of installation."""
        version = f"--kube-version={KUBERNETES_VERSION}"
        text = self("template", release, chart, f"--namespace={namespace}", version, values=values or {})
        return [one for one in yaml.safe_load_all(text) if one]


def required_values() -> JsonObject:
    """Return the least that the syncer's chart has to be given."""
    return {
        "agentId": "kcp-syncer-east-0a1b2c3d",
        "syncTarget": {
            "name": "east",
            "uid": "11111111-2222-3333-4444-555555555555",
            "cluster": "1abc",
            "key": "2p3HCkUqn2N8QX9PiE9m0WBxVweQmL5xFLAfEG",
        },
        "controlPlane": {"url": "https://fairlead.example:443"},
        "credentials": {"key": "KEY"},
    }


def of_kind(objects: list[JsonObject], kind: str) -> JsonObject:
    """Return the only object of a kind."""
    (found,) = (one for one in objects if one["kind"] == kind)
    return found


def pod_specs(objects: list[JsonObject]) -> Iterator[JsonObject]:
    """Yield the specification of every pod in there, whatever makes it."""
    for one in objects:
        if one["kind"] == "Pod":
            yield one["spec"]
        elif one["kind"] in {"Deployment", "StatefulSet"}:
            yield one["spec"]["template"]["spec"]


def values_table(chart: Path) -> str:
    """
    Return the table of a chart's values, from the comments ``# -- `` in ``values.yaml``.

    Raises:
        ValueError: A value has no comment.
    """
    text = (chart / "values.yaml").read_text()
    described = dict(_described(text))
    defaults = dict(_leaves(yaml.safe_load(text), set(described)))
    if undescribed := sorted(set(defaults) - set(described)):
        raise ValueError(f"{chart.name}: no comment '# -- ' above {', '.join(undescribed)}")
    rows = [f"| `{path}` | `{json.dumps(defaults[path])}` | {told} |" for path, told in described.items()]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows]) + "\n"


def readme_table(chart: Path) -> str:
    """Return the table as the README holds it."""
    return (chart / "README.md").read_text().partition(_BEGIN)[2].partition(_END)[0]


def _described(text: str) -> Iterator[tuple[str, str]]:
    """Yield path and description of each value that has one."""
    path: list[str] = []
    told: list[str] = []
    for line in text.splitlines():
        if comment := re.match(r"\s*# (-- )?(.+)", line):
            told = [comment[2]] if comment[1] else [*told, comment[2]]
        elif key := re.match(r"( *)([A-Za-z]+):", line):
            path[len(key[1]) // 2 :] = [key[2]]
            if told:
                yield ".".join(path), " ".join(told)
            told = []


def _leaves(values: Mapping[str, object], described: set[str], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield what the table has a row for: what is described as a whole, and else every single value."""
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value and path not in described:
            yield from _leaves(value, described, f"{path}.")
        else:
            yield path, value


def main() -> None:
    """Write both tables."""
    for chart in (CONTROL_PLANE, SYNCER):
        readme = chart / "README.md"
        before, marker, rest = readme.read_text().partition(_BEGIN)
        readme.write_text(before + marker + values_table(chart) + _END + rest.partition(_END)[2])


if __name__ == "__main__":
    main()
