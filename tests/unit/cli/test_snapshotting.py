"""CRDs as APIResourceSchemas."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from fairlead_api import JsonObject
from fairlead_api.kinds.apis import APIResourceSchema
from fairlead_cli import kcp
from fairlead_cli.failure import Failure
from fairlead_cli.snapshotting import schema_of

SCHEMA = {"type": "object", "properties": {"spec": {"type": "object"}}}


def crd(**spec: object) -> JsonObject:
    """Return a CRD of one version; ``spec`` wins."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    version["additionalPrinterColumns"] = [{"name": "Intent", "type": "string", "jsonPath": ".spec.intent"}]
    names = {"plural": "cowboys", "singular": "cowboy", "kind": "Cowboy", "listKind": "CowboyList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "cowboys.wildwest.dev", "annotations": {"other": "x"}},
        "spec": {"group": "wildwest.dev", "names": names, "scope": "Namespaced", "versions": [version], **spec},
    }


def two_versions() -> list[JsonObject]:
    """Return the versions of a CRD that has two."""
    [version] = crd()["spec"]["versions"]
    return [version, {**version, "name": "v2", "storage": False}]


def test_what_a_schema_has() -> None:
    """Name, group, names, scope and versions are carried, the schema without its wrapper; our kind takes it."""
    found = schema_of(crd(), "today")
    assert found["metadata"] == {"name": "today.cowboys.wildwest.dev"}
    [version] = found["spec"]["versions"]
    assert (version["schema"], version["subresources"]) == (SCHEMA, {})
    assert version["additionalPrinterColumns"][0]["name"] == "Intent"
    APIResourceSchema.model_validate(found)


def test_approval_is_carried() -> None:
    """Groups of Kubernetes need it on the schema, too."""
    one = crd()
    one["metadata"]["annotations"]["api-approved.kubernetes.io"] = "https://example.com"
    assert schema_of(one, "p")["metadata"]["annotations"] == {"api-approved.kubernetes.io": "https://example.com"}


def test_versions_need_a_conversion() -> None:
    """Several versions say how they convert; a Service of one cluster is no way."""
    with pytest.raises(Failure, match="no conversion"):
        schema_of(crd(versions=two_versions()), "p")
    same = schema_of(crd(versions=two_versions(), conversion={"strategy": "None"}), "p")
    assert same["spec"]["conversion"] == {"strategy": "None"}
    webhook = {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"name": "s"}}}}
    with pytest.raises(Failure, match="Service of one cluster"):
        schema_of(crd(conversion=webhook), "p")


@pytest.mark.parametrize("other", [{"apiVersion": "v1", "kind": "ConfigMap"}, "text", [1], {**crd(), "spec": {}}])
def test_what_is_none(other: object) -> None:
    """Anything but a CRD is refused."""
    with pytest.raises(Failure):
        schema_of(other, "p")


def test_the_command(tmp_path: Path) -> None:
    """Documents are separated and ended by ``---``, and can be applied; empty ones are left out."""
    file = tmp_path / "crds.yaml"
    file.write_text("---\n" + yaml.safe_dump_all([crd(), crd()]) + "---\n")
    done = CliRunner().invoke(kcp.main, ["crd", "snapshot", "-f", str(file), "--prefix", "today"])
    assert done.exit_code == 0, done.output
    assert done.output.endswith("\n---\n")
    assert [one["kind"] for one in yaml.safe_load_all(done.output) if one] == ["APIResourceSchema"] * 2
    piped = CliRunner().invoke(
        kcp.main, ["crd", "snapshot", "-f", "-", "--prefix", "p", "-o", "json"], input=file.read_text()
    )
    assert piped.output.startswith('{\n    "apiVersion"')


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "--filename"),
        (("-f", "x", "--prefix", "Now"), 1, 'invalid prefix "Now"'),
        (("-f", "/does/not/exist", "--prefix", "p"), 1, "No such file or directory · /does/not/exist"),
        (("-f", "-", "--prefix", "p"), 1, "cannot be read as YAML"),
    ],
)
def test_refusals(arguments: tuple[str, ...], code: int, words: str) -> None:
    """Each is one line."""
    done = CliRunner().invoke(kcp.main, ["crd", "snapshot", *arguments], input="{")
    assert (done.exit_code, words in done.output) == (code, True), done.output
