from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from fairlead_control_plane.kinds import facts


def test_data_files_are_what_the_scripts_wrote() -> None:
    """A data file changed by hand no longer matches the manifest."""
    folder = files("fairlead_control_plane.kinds") / "data"
    listed = {name: digest for name, digest in facts.manifest().items() if name != "kubernetes"}
    written = {"columns", "defaults", "definitions", "internal", "resources", "types"}
    assert set(listed) == {f"{name}.json" for name in written}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(facts.REFERENCE)
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_every_reference_has_its_definition() -> None:
    """No schema refers to a definition that was left out."""
    assert set(_references(dict(facts.definitions()))) <= set(facts.definitions())


def test_struct_fields_and_schema_properties_agree() -> None:
    """The Go structs and the OpenAPI definitions name the same fields."""

    def fields(name: str) -> set[str]:
        found: set[str] = set()
        for _, json_name, kind, form, *_ in facts.types()[name]:
            found |= fields(kind) if form == "inline" else {json_name}
        return found

    both = set(facts.types()) & set(facts.definitions())
    assert len(both) > 500
    for name in both:
        declared = set(facts.definitions()[name].get("properties") or ()) - {"apiVersion", "kind"}
        assert fields(name) - {"apiVersion", "kind"} == declared, name


def test_definitions_carry_the_servers_defaults_and_closed_value_sets() -> None:
    """Defaults found on a real server and enumerations are part of the definitions."""
    spec = facts.definitions()["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert spec["terminationGracePeriodSeconds"]["default"] == 30
    assert facts.enum("core.v1.PodSpec", "restartPolicy") == ("Always", "Never", "OnFailure")
