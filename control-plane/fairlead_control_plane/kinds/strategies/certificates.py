"""
CertificateSigningRequests: who asks, who approves, who signs.

Source: k8s.io/kubernetes pkg/registry/certificates/certificates/strategy.go, pkg/apis/certificates/validation.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from fairlead_api import JsonObject, validation
from fairlead_api import field_errors as wrong
from fairlead_api.errors import Cause
from fairlead_control_plane.kinds.record import Subresource, Writer
from fairlead_control_plane.kinds.strategies.generic import generic_strategy
from fairlead_control_plane.kinds.strategies.metadata import validate_again
from fairlead_control_plane.kinds.strategies.pem import blocks
from fairlead_schema.fieldset import FieldSet

_APPROVED, _DENIED, _FAILED = "Approved", "Denied", "Failed"
_STATUSES = ("False", "True", "Unknown")
_LEGACY = "kubernetes.io/legacy-unknown"
_SHORTEST_S = 600
_USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
)  # fmt: skip
_CONDITIONS = "status.conditions"
_MISMATCH: Mapping[type, str] = {
    rsa.RSAPublicKey: "crypto/rsa: verification error",
    ec.EllipticCurvePublicKey: "x509: ECDSA verification failure",
    ed25519.Ed25519PublicKey: "x509: Ed25519 verification failure",
}


class Unreadable(ValueError):
    """What a request or certificate holds cannot be read; the text says why, as Go says it."""


def parse_request(text: str | None) -> x509.CertificateSigningRequest:
    """
    Read ``spec.request``: PKCS#10 in a PEM block, in base64.

    Raises:
        Unreadable: It is none.
    """
    block = next(blocks(_decoded(text)), None)
    if block is None or block.type != "CERTIFICATE REQUEST":
        raise Unreadable("PEM block type must be CERTIFICATE REQUEST")
    try:
        return x509.load_der_x509_csr(block.content)
    except ValueError as error:
        raise Unreadable(_asn1_fault(block.content)) from error


def _decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _asn1_fault(content: bytes) -> str:
    """Say what is wrong with DER that cannot be read: of its outermost element, as Go says it, or in general."""
    if len(content) < 2:
        return "asn1: syntax error: truncated tag or length"
    first = content[1]
    many = first & 0x7F if first & 0x80 else 0
    size = int.from_bytes(content[2 : 2 + many], "big") if many else first
    end = 2 + many + size
    if end > len(content):
        return "asn1: syntax error: data truncated"
    return "asn1: syntax error: trailing data" if end < len(content) else "asn1: structure error: tags don't match"


def _request_fault(text: str | None) -> str:
    """Return why ``spec.request`` is not a request signed by its own key; ``""`` when it is."""
    try:
        request = parse_request(text)
    except Unreadable as error:
        return str(error)
    try:
        if request.is_signature_valid:
            return ""
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: cannot verify signature: algorithm unimplemented"
    return next((said for kind, said in _MISMATCH.items() if isinstance(key, kind)), "x509: signature mismatch")


def _certificate_fault(text: str | None) -> str:
    """Return why ``status.certificate`` is no chain of certificates in PEM; ``""`` when it is, or empty."""
    data = _decoded(text)
    if not data:
        return ""
    count = 0
    for block in blocks(data):
        if block.type != "CERTIFICATE":
            return f"only CERTIFICATE PEM blocks are allowed, found {wrong.quoted(block.type)}"
        if block.headers:
            return "no PEM block headers are permitted"
        count += 1
        if not block.content:
            return "found CERTIFICATE PEM block containing 0 certificates"
        try:
            x509.load_der_x509_certificate(block.content)
        except ValueError:
            return "x509: malformed certificate"
    return "" if count else "must contain at least one CERTIFICATE PEM block"


def validate_signer_name(name: str, path: str) -> list[Cause]:
    """Check the name of a signer: a domain, a slash, a path."""
    if not name:
        return [wrong.required(path)]
    domain, *rest = name.split("/")
    if len(rest) != 1:
        form = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [wrong.invalid(path, name, form)]
    causes = [wrong.too_long(path, 253)] if len(domain.encode()) > 253 else []
    labels = domain.split(".")
    causes += _first_fault([(label, validation.dns1123_label(label)) for label in labels], domain, path)
    if len(labels) < 2:
        causes.append(wrong.invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    parts = [(label, validation.dns1123_subdomain(label)) for label in rest[0].split(".")]
    causes += _first_fault(parts, rest[0], path)
    return [*causes, wrong.too_long(path, 571)] if len(name.encode()) > 571 else causes


def _first_fault(parts: Sequence[tuple[str, Sequence[str]]], shown: str, path: str) -> list[Cause]:
    label, texts = next(((label, texts) for label, texts in parts if texts), ("", ()))
    return [wrong.invalid(path, shown, f"validating label {wrong.quoted(label)}: {text}") for text in texts]


def _conditions(obj: JsonObject | None) -> list[JsonObject]:
    return list(((obj or {}).get("status") or {}).get("conditions") or ())


def _of_type(obj: JsonObject, kind: str) -> list[JsonObject]:
    return [one for one in _conditions(obj) if one.get("type") == kind]


def _validate(obj: JsonObject, old: JsonObject | None = None) -> list[Cause]:
    """Check a whole request; what was wrong with ``old`` may stay wrong."""
    spec, before = obj.get("spec") or {}, (old or {}).get("spec") or {}
    causes: list[Cause] = []
    fault = _request_fault(spec.get("request"))
    if fault:
        causes.append(wrong.invalid("spec.request", spec.get("request"), fault))
    causes += _usages(spec.get("usages") or [], before.get("usages") or [])
    signer = spec.get("signerName") or ""
    if signer == _LEGACY and before.get("signerName") != _LEGACY:
        text = "the legacy signerName is not allowed via this API version"
        causes.append(wrong.invalid("spec.signerName", signer, text))
    else:
        causes += validate_signer_name(signer, "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST_S:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        causes.append(wrong.invalid("spec.expirationSeconds", seconds, text))
    causes += _check_conditions(_conditions(obj), _conditions(old))
    return causes + _certificate(obj, old)


def _usages(usages: list[str], before: list[str]) -> list[Cause]:
    causes = [] if usages else [wrong.required("spec.usages")]
    if all(one in _USAGES for one in before):
        for index, usage in enumerate(usages):
            if usage not in _USAGES:
                causes.append(wrong.not_supported(f"spec.usages[{index}]", usage or "", _USAGES))
    if len(set(before)) == len(before):
        causes += [
            wrong.duplicate(f"spec.usages[{index}]", usage or "")
            for index, usage in enumerate(usages)
            if usage in usages[:index]
        ]
    return causes


def _check_conditions(conditions: list[JsonObject], before: list[JsonObject]) -> list[Cause]:
    types = [one.get("type") or "" for one in conditions]
    old_types = [one.get("type") or "" for one in before]
    both = {_APPROVED, _DENIED}
    may_be_both, may_repeat = both <= set(old_types), len(set(old_types)) < len(old_types)
    causes: list[Cause] = []
    for index, condition in enumerate(conditions):
        kind, at = types[index], f"{_CONDITIONS}[{index}]"
        if not kind and "" not in old_types:
            causes.append(wrong.required(f"{at}.type"))
        allowed = ("True",) if kind in (_APPROVED, _DENIED, _FAILED) else _STATUSES
        status = condition.get("status") or ""
        if not status:
            causes.append(wrong.required(f"{at}.status"))
        elif status not in allowed:
            causes.append(wrong.not_supported(f"{at}.status", status, allowed))
        if not may_be_both and kind in both and both - {kind} <= set(types[:index]):
            causes.append(wrong.invalid(_CONDITIONS, kind, "Approved and Denied conditions are mutually exclusive"))
        if not may_repeat and kind in types[:index]:
            causes.append(wrong.duplicate(f"{at}.type", kind))
    return causes


def _certificate_of(obj: JsonObject) -> str:
    return (obj.get("status") or {}).get("certificate") or ""


def _certificate(obj: JsonObject, old: JsonObject | None) -> list[Cause]:
    given = _certificate_of(obj)
    if old is not None and (_certificate_of(old) == given or _certificate_fault(_certificate_of(old))):
        return []
    fault = _certificate_fault(given)
    return [wrong.invalid("status.certificate", "<certificate data>", fault)] if fault else []


def _validate_change(
    new: JsonObject, old: JsonObject, *, may_approve: bool = False, may_issue: bool = False
) -> list[Cause]:
    causes = [*validate_again(new, validation.path_segment_name), *_validate(new, old)]
    grown = {kind: len(_of_type(new, kind)) - len(_of_type(old, kind)) for kind in (_APPROVED, _DENIED, _FAILED)}
    causes += [
        wrong.forbidden(_CONDITIONS, f'updates may not remove a condition of type "{kind}"')
        for kind, count in grown.items()
        if count < 0
    ]
    causes += [
        wrong.forbidden(_CONDITIONS, f'updates may not add a condition of type "{kind}"')
        for kind, count in grown.items()
        if count > 0 and kind != _FAILED and not may_approve
    ]
    if _certificate_of(new) != _certificate_of(old):
        if not may_issue:
            causes.append(wrong.forbidden("status.certificate", "updates may not set certificate content"))
        elif _certificate_of(old):
            causes.append(wrong.forbidden("status.certificate", "updates may not modify existing certificate content"))
    return causes


def _sign(obj: JsonObject, writer: Writer) -> None:
    """Write down who asks; what the request says of it does not count."""
    spec = obj.setdefault("spec", {})
    for field in ("username", "uid", "groups", "extra"):
        spec.pop(field, None)
    spec.update(writer.user.as_json())


def _keep(new: JsonObject, old: JsonObject) -> None:
    new["spec"] = old["spec"]


def _as_sent(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    """Leave what was sent, until it is noted who manages what: times that are not said count."""


def _dated(new: JsonObject, old: JsonObject, now: str) -> None:
    """Give conditions the times they lack; one that was there in this status keeps its last transition."""
    for condition in _conditions(new):
        if not condition.get("lastUpdateTime"):
            condition["lastUpdateTime"] = now
        if not condition.get("lastTransitionTime"):
            condition["lastTransitionTime"] = next(
                (
                    one["lastTransitionTime"]
                    for one in _conditions(old)
                    if (one.get("type"), one.get("status")) == (condition.get("type"), condition.get("status"))
                    and one.get("lastTransitionTime")
                ),
                now,
            )


def _settle_status(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    for kind in (_APPROVED, _DENIED):
        kept = _of_type(old, kind)
        places = [index for index, one in enumerate(_conditions(new)) if one.get("type") == kind]
        if len(kept) == len(places):
            for index, condition in zip(places, kept, strict=True):
                new["status"]["conditions"][index] = condition
    _dated(new, old, writer.now)


def _settle_approval(new: JsonObject, old: JsonObject, writer: Writer) -> None:
    _dated(new, old, writer.now)
    status = {key: value for key, value in (old.get("status") or {}).items() if key != "conditions"}
    conditions = _conditions(new)
    new["spec"] = old["spec"]
    new["status"] = {**status, "conditions": conditions} if conditions else status


_SPEC = ("spec",)
SIGNING_REQUEST = replace(
    generic_strategy("certificates.k8s.io", "certificatesigningrequests", has_status=True),
    sign=_sign,
    prepare_update=_keep,
    validate=_validate,
    validate_change=_validate_change,
    validate_name=validation.path_segment_name,
    resets=FieldSet.of(_SPEC, ("status",)),
    subresources={
        "status": Subresource(
            validate=lambda new, old: _validate_change(new, old, may_issue=True),
            resets=FieldSet.of(_SPEC, ("status", "conditions")),
            settle=_settle_status,
        ),
        "approval": Subresource(
            prepare=_as_sent,
            validate=lambda new, old: _validate_change(new, old, may_approve=True),
            resets=FieldSet.of(_SPEC, ("status", "certificate")),
            settle=_settle_approval,
        ),
    },
)
