"""What of a bin is shown."""

from __future__ import annotations

from fairlead_cli.restoring import of_namespace


def test_of_one_namespace() -> None:
    """Its content and itself, and not the other namespaces."""
    namespace = {"group": "", "resource": "namespaces", "namespace": "", "name": "shop"}
    inside = {"group": "", "resource": "configmaps", "namespace": "shop", "name": "a"}
    other = {**namespace, "name": "other"}
    assert of_namespace([namespace, inside, other], "shop") == [namespace, inside]
    assert of_namespace([namespace, inside, other], "") == [namespace, inside, other]
