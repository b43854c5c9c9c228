"""
``kubectl kcp crd snapshot``: CRDs from a file as APIResourceSchemas, without talking to anybody.

Source: kcp HEAD, ``kubectl kcp crd snapshot`` (kcp-core 2.1, 6.8): each document is followed by ``---``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from fairlead_api import JsonObject
from fairlead_cli.failure import Failure
from fairlead_cli.output import document

_PREFIX = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_APPROVED = "api-approved.kubernetes.io"
_VERSION_FIELDS = (
    *("name", "served", "storage", "deprecated", "deprecationWarning"),
    *("additionalPrinterColumns", "selectableFields"),
)


def snapshot(file: str, prefix: str, output: str) -> Iterator[str]:
    """
    Yield the text of each APIResourceSchema.

    Args:
        file: With CRDs in YAML or JSON; ``-`` for standard input.
        prefix: Of the schemas' names, before the name of the CRD.
        output: ``yaml`` or ``json``.

    Raises:
        Failure: The prefix is no name, the file cannot be read, or holds something other than CRDs.
    """
    import yaml  # noqa: PLC0415 - 20 ms

    if not _PREFIX.fullmatch(prefix):
        raise Failure(f'invalid prefix "{prefix}"', fix="small letters, digits and dashes, first a letter: today")
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(f"{file} cannot be read as YAML", str(error)) from error
    for one in found:
        yield document(schema_of(one, prefix), output, sort=True)


def schema_of(crd: object, prefix: str) -> JsonObject:
    """
    Return the APIResourceSchema that stands for a CRD.

    Raises:
        Failure: It is no CRD of apiextensions.k8s.io/v1, or of a form that cannot be exported.
    """
    kind = (crd.get("apiVersion"), crd.get("kind")) if isinstance(crd, dict) else ()
    if not isinstance(crd, dict) or kind != ("apiextensions.k8s.io/v1", "CustomResourceDefinition"):
        raise Failure("unexpected type for CRD", str(kind or type(crd).__name__), "apiextensions.k8s.io/v1 is needed")
    try:
        return _converted(crd, prefix)
    except (KeyError, TypeError) as error:
        raise Failure("error converting CRD", f"{(crd.get('metadata') or {}).get('name', '')} lacks {error}") from error


def _converted(crd: JsonObject, prefix: str) -> JsonObject:
    spec, metadata = crd["spec"], crd["metadata"]
    conversion = spec.get("conversion") or {}
    if len(spec["versions"]) > 1 and not conversion:
        raise Failure(
            "error converting CRD",
            f"{metadata['name']} has {len(spec['versions'])} versions and no conversion",
            "say conversion: {strategy: None} when only the name differs",
        )
    named: JsonObject = {"name": f"{prefix}.{metadata['name']}"}
    if approved := (metadata.get("annotations") or {}).get(_APPROVED):
        named["annotations"] = {_APPROVED: approved}
    body: JsonObject = {key: spec[key] for key in ("group", "names", "scope")}
    body["versions"] = [_version(one) for one in spec["versions"]]
    if conversion:
        body["conversion"] = _conversion(conversion)
    return {"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema", "metadata": named, "spec": body}


def _version(version: JsonObject) -> JsonObject:
    found: JsonObject = {key: version[key] for key in _VERSION_FIELDS if key in version}
    found["schema"] = version["schema"]["openAPIV3Schema"]
    found["subresources"] = version.get("subresources") or {}
    return found


def _conversion(conversion: JsonObject) -> JsonObject:
    """Return it as APIResourceSchemas have it: a webhook is reached by URL, a Service means nothing elsewhere."""
    found: JsonObject = {"strategy": conversion.get("strategy", "None")}
    if webhook := conversion.get("webhook"):
        client = webhook.get("clientConfig") or {}
        if "service" in client:
            fix = "give the webhook a url that is reached from everywhere"
            raise Failure("error converting CRD", "its conversion webhook is a Service of one cluster", fix)
        found["webhook"] = {
            "clientConfig": {key: client[key] for key in ("url", "caBundle") if key in client},
            "conversionReviewVersions": webhook.get("conversionReviewVersions") or [],
        }
    return found
