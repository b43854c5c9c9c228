"""Values for the agent's chart; what the chart makes of them is compared in tests/integration/charts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from fairlead_api import JsonObject
from fairlead_cli.chart_values import as_text, chart_values
from fairlead_cli.manifests import Agent

AGENT = Agent(
    "east", "u1", "1abc", "https://f:443", "PEM", (("apps", "deployments"), ("", "pods")), key="KEY", image="f:v1"
)
DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "values"),
    [
        ("fairlead:v1", {"repository": "fairlead", "tag": "v1"}),
        ("r.example:5000/a/fairlead", {"repository": "r.example:5000/a/fairlead", "tag": "latest"}),
        ("r.example:5000/fairlead:v1", {"repository": "r.example:5000/fairlead", "tag": "v1"}),
        (f"r.example/fairlead:v1@{DIGEST}", {"repository": "r.example/fairlead", "digest": DIGEST}),
    ],
)
def test_image(image: str, values: JsonObject) -> None:
    """An image is taken apart as runtimes do: a digest wins, a port is no tag."""
    assert chart_values(replace(AGENT, image=image))["image"] == values


def test_text_is_yaml_of_the_values() -> None:
    """What is printed can be given to helm, and says that it is a secret."""
    text = as_text(AGENT)
    assert yaml.safe_load(text) == chart_values(AGENT)
    assert text.startswith("# ")
    assert chart_values(AGENT)["syncedResources"] == ["deployments.apps", "pods"]
