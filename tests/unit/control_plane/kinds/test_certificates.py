from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairlead_api.errors import Cause, Forbidden
from fairlead_api.request import User
from fairlead_control_plane.admission.certificates import CertificateRights
from fairlead_control_plane.admission.contract import Attributes
from fairlead_control_plane.kinds.record import Writer
from fairlead_control_plane.kinds.strategies.certificates import SIGNING_REQUEST, validate_signer_name
from fairlead_control_plane.kinds.strategies.pem import blocks
from tests.unit.control_plane.in_process import APPLY, in_process, known

COLLECTION = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
ALICE = User("alice", ("system:authenticated",), "u-1", {"example.com/why": ("test",)})


def pkcs10(*, organization: str = "", broken: bool = False) -> str:
    """Return a signed request as ``spec.request`` holds it; its signature does not hold when ``broken``."""
    names = [x509.NameAttribute(NameOID.COMMON_NAME, "alice")]
    if organization:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    key = ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256())
    der = made.public_bytes(serialization.Encoding.DER)
    if broken:
        der = der.replace(b"alice", b"alicf")
    body = base64.encodebytes(der).decode()
    return base64.b64encode(
        f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n".encode()
    ).decode()


REQUEST = pkcs10()


def request(**spec: Any) -> dict[str, Any]:
    """Return a request that is fine but for ``spec``."""
    whole = {"signerName": "example.com/own", "usages": ["client auth"], "request": REQUEST, **spec}
    return {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "a"},
        "spec": whole, "status": {},
    }  # fmt: skip


def found(causes: Any) -> list[tuple[str, str, str]]:
    """Return causes as field, reason and message."""
    return [(cause.field, cause.reason.removeprefix("FieldValue"), cause.message) for cause in causes]


def checked(**spec: Any) -> list[tuple[str, str, str]]:
    """Return what is wrong with a new request."""
    assert SIGNING_REQUEST.validate is not None
    return found(SIGNING_REQUEST.validate(request(**spec)))


def test_a_request_that_its_key_signed_is_fine() -> None:
    """Nothing is said of it."""
    assert checked() == []


@pytest.mark.parametrize(
    ("spec", "field", "reason", "message"),
    [
        ({"request": ""}, "spec.request", "Invalid", 'Invalid value: "": PEM block type must be CERTIFICATE REQUEST'),
        ({"request": None}, "spec.request", "Invalid",
         "Invalid value: null: PEM block type must be CERTIFICATE REQUEST"),
        ({"usages": []}, "spec.usages", "Required", "Required value"),
        ({"usages": ["any", "any"]}, "spec.usages[1]", "Duplicate", 'Duplicate value: "any"'),
        ({"signerName": ""}, "spec.signerName", "Required", "Required value"),
        ({"signerName": "kubernetes.io/legacy-unknown"}, "spec.signerName", "Invalid",
         'Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version'),
        ({"expirationSeconds": 599}, "spec.expirationSeconds", "Invalid",
         "Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request_is_told_as_kubernetes_tells_it(
    spec: dict[str, Any], field: str, reason: str, message: str
) -> None:
    """One cause, its field and its words."""
    assert checked(**spec) == [(field, reason, message)]


def test_a_usage_that_is_none_is_told_with_all_there_are() -> None:
    """The known usages are listed by name."""
    ((field, reason, message),) = checked(usages=["other"])
    assert (field, reason) == ("spec.usages[0]", "NotSupported")
    assert message.startswith('Unsupported value: "other": supported values: "any", "cert sign", "client auth"')


def test_a_signature_of_another_content_does_not_hold() -> None:
    """The request was changed after it was signed."""
    ((field, _, message),) = checked(request=pkcs10(broken=True))
    assert field == "spec.request"
    assert message.endswith(": x509: ECDSA verification failure")


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("example.com/a.b", []),
        ("a/b/c", ["must be a fully qualified domain and path of the form 'example.com/signer-name'"]),
        ("com/a", ["should be a domain with at least two segments separated by dots"]),
    ],
)
def test_signers_are_named_by_domain_and_path(name: str, messages: list[str]) -> None:
    """A domain of at least two labels, one slash, a path."""
    assert [cause.message.rpartition('": ')[2] for cause in validate_signer_name(name, "x")] == messages


def test_the_first_bad_label_of_a_signers_domain_is_told() -> None:
    """Not every one, as their messages would be alike."""
    (cause,) = validate_signer_name("Bad.Worse/a", "x")
    assert 'Invalid value: "Bad.Worse": validating label "Bad": a lowercase RFC 1123 label' in cause.message


def _changed(
    subresource: str, conditions: list[dict[str, Any]], old: dict[str, Any]
) -> tuple[dict[str, Any], list[Cause]]:
    new = {**old, "status": {**old["status"], "conditions": conditions}}
    part = SIGNING_REQUEST.subresources[subresource]
    assert part.settle is not None
    assert part.validate is not None
    part.settle(new, old, Writer(ALICE, "2024-01-02T03:04:05Z"))
    return new, list(part.validate(new, old))


def test_an_approval_gets_its_times() -> None:
    """Both times are the moment of the write."""
    new, causes = _changed("approval", [{"type": "Approved", "status": "True"}], request())
    assert causes == []
    assert new["status"]["conditions"] == [
        {"type": "Approved", "status": "True", "lastUpdateTime": "2024-01-02T03:04:05Z",
         "lastTransitionTime": "2024-01-02T03:04:05Z"}
    ]  # fmt: skip


def test_approval_is_not_written_through_status() -> None:
    """It can be neither added nor taken away there."""
    _, causes = _changed("status", [{"type": "Approved", "status": "True"}], request())
    assert found(causes) == [
        ("status.conditions", "Forbidden", 'Forbidden: updates may not add a condition of type "Approved"')
    ]
    approved, _ = _changed("approval", [{"type": "Approved", "status": "True"}], request())
    _, causes = _changed("status", [], approved)
    assert found(causes) == [
        ("status.conditions", "Forbidden", 'Forbidden: updates may not remove a condition of type "Approved"')
    ]


def test_nobody_approves_and_denies_at_once() -> None:
    """And what is decided is decided to be true."""
    _, causes = _changed(
        "approval", [{"type": "Approved", "status": "True"}, {"type": "Denied", "status": "False"}], request()
    )
    assert found(causes) == [
        ("status.conditions[1].status", "NotSupported", 'Unsupported value: "False": supported values: "True"'),
        ("status.conditions", "Invalid",
         'Invalid value: "Denied": Approved and Denied conditions are mutually exclusive'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "must contain at least one CERTIFICATE PEM block"),
        ("-----BEGIN X-----\nAAAA\n-----END X-----\n", 'only CERTIFICATE PEM blocks are allowed, found "X"'),
        ("-----BEGIN CERTIFICATE-----\na: b\n\nAAAA\n-----END CERTIFICATE-----\n",
         "no PEM block headers are permitted"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
         "found CERTIFICATE PEM block containing 0 certificates"),
    ],
)  # fmt: skip
def test_what_is_issued_must_be_certificates(text: str, message: str) -> None:
    """The value itself is not shown."""
    old = request()
    new = {**old, "status": {"certificate": base64.b64encode(text.encode()).decode()}}
    check = SIGNING_REQUEST.subresources["status"].validate
    assert check is not None
    assert found(check(new, old)) == [
        ("status.certificate", "Invalid", f'Invalid value: "<certificate data>": {message}')
    ]


def test_pem_blocks_are_found_between_other_text() -> None:
    """What does not belong together is passed over."""
    text = b"hello\n-----BEGIN A-----\nYQ==\n-----END B-----\n-----BEGIN C-----\nx: y\n\nYg ==\n-----END C-----  \nrest"
    (only,) = blocks(text)
    assert (only.type, only.content, only.headers) == ("C", b"b", {"x": "y"})


async def test_a_request_says_who_made_it_and_keeps_its_spec() -> None:
    """Whatever it says itself, then and later."""
    async with in_process() as api:
        body = request(username="root", groups=["system:masters"])
        made = await api.ask("POST", COLLECTION, body, user=ALICE)
        assert {key: made["spec"][key] for key in ("username", "uid", "groups", "extra")} == {
            "username": "alice", "uid": "u-1", "groups": ["system:authenticated"],
            "extra": {"example.com/why": ["test"]},
        }  # fmt: skip
        assert "managedFields" not in made["metadata"]
        changed = {**made, "spec": {**made["spec"], "usages": ["any"], "username": "root"}}
        again = await api.ask("PUT", f"{COLLECTION}/a", changed, user=ALICE)
        assert again["spec"] == made["spec"]


async def test_approval_is_owned_by_who_approved() -> None:
    """Its conditions are theirs; the spec is nobody's."""
    async with in_process() as api:
        await api.ask("POST", COLLECTION, request(), user=ALICE)
        config = {
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "a"},
            "spec": {"signerName": "example.com/other"},
            "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Fine"}]},
        }  # fmt: skip
        approved = await api.ask("PATCH", f"{COLLECTION}/a/approval", config, kind=APPLY, fieldManager="judge")
        assert approved["spec"]["signerName"] == "example.com/own"
        assert approved["status"]["conditions"][0]["reason"] == "Fine"
        (entry,) = [one for one in approved["metadata"]["managedFields"] if one["manager"] == "judge"]
        assert entry["subresource"] == "approval"
        assert set(entry["fieldsV1"]) == {"f:status"}
        approved["status"]["conditions"].append({"type": "Failed", "status": "True", "reason": "Own"})
        put = await api.ask("PUT", f"{COLLECTION}/a/approval", approved, fieldManager="other")
        entry = put["metadata"]["managedFields"][-1]
        times = {"f:lastTransitionTime", "f:lastUpdateTime"}
        assert times < set(entry["fieldsV1"]["f:status"]["f:conditions"]['k:{"type":"Failed"}'])


def _attributes(operation: str, subresource: str, new: dict[str, Any], old: dict[str, Any] | None) -> Attributes:
    kind = known("certificates.k8s.io", "certificatesigningrequests")
    return Attributes(operation, kind, "v1", "root", "", "a", subresource, ALICE, new, old)


async def _may_own(user: User, verb: str, cluster: str, group: str, resource: str, name: str) -> bool:
    assert (user, cluster, group, resource) == (ALICE, "root", "certificates.k8s.io", "signers")
    return (verb, name) in {("approve", "example.com/*"), ("sign", "example.com/own")}


async def test_approving_and_signing_need_a_right_for_the_signer() -> None:
    """By its name, or by the whole domain."""
    rights = CertificateRights(_may_own)
    old, new = request(), {**request(), "status": {"certificate": "YQ=="}}
    await rights.validate(_attributes("UPDATE", "approval", new, old))
    await rights.validate(_attributes("UPDATE", "status", new, old))
    other = request(signerName="example.org/own")
    for subresource, verb in (("approval", "approve"), ("status", "sign")):
        with pytest.raises(Forbidden) as refused:
            await rights.validate(_attributes("UPDATE", subresource, new, other))
        assert refused.value.message == (
            'certificatesigningrequests.certificates.k8s.io "a" is forbidden:'
            f' user not permitted to {verb} requests with signerName "example.org/own"'
        )
    await rights.validate(_attributes("UPDATE", "status", other, other))


async def test_clients_are_kept_out_of_the_masters() -> None:
    """The signer of clients makes no master."""
    rights = CertificateRights(_may_own)
    masters = pkcs10(organization="system:masters")
    await rights.validate(_attributes("CREATE", "", request(request=masters), None))
    asked = request(request=masters, signerName="kubernetes.io/kube-apiserver-client")
    with pytest.raises(Forbidden, match="signer with system:masters group is not allowed"):
        await rights.validate(_attributes("CREATE", "", asked, None))
