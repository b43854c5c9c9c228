"""What Secrets hold: pairs of certificates and keys, and JSON, told of in Go's words."""

from __future__ import annotations

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from fairlead_control_plane.kinds.strategies.configuration import SECRET
from fairlead_control_plane.kinds.strategies.key_pairs import pair_error

_DAY = datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)


def _pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture(scope="module")
def pair() -> tuple[bytes, bytes]:
    """Return a certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(_DAY).not_valid_after(_DAY)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), _pem(key)


def test_a_pair_is_taken_without_a_word(pair: tuple[bytes, bytes]) -> None:
    """Whatever its days."""
    assert pair_error(*pair) == ""


def test_what_is_no_pair_is_warned_of(pair: tuple[bytes, bytes]) -> None:
    """Most often the two have been switched."""
    certificate, key = pair
    other = _pem(ec.generate_private_key(ec.SECP256R1()))
    assert pair_error(b"x", key) == "tls: failed to find any PEM data in certificate input"
    assert pair_error(key, certificate).endswith("but did find a private key; PEM inputs may have been switched")
    assert pair_error(certificate, b"") == "tls: failed to find any PEM data in key input"
    assert pair_error(certificate, certificate).startswith("tls: found a certificate rather than a key in the PEM")
    assert pair_error(certificate, other) == "tls: private key does not match public key"
    different = _pem(ed25519.Ed25519PrivateKey.generate())
    assert pair_error(certificate, different) == "tls: private key type does not match public key type"
    block = b"-----BEGIN CERTIFICATE-----\neA==\n-----END CERTIFICATE-----\n"
    assert pair_error(block, key) == "x509: malformed certificate"
    broken = b"-----BEGIN PRIVATE KEY-----\neA==\n-----END PRIVATE KEY-----\n"
    assert pair_error(certificate, broken) == "tls: failed to parse private key"
    passed = "after skipping PEM blocks of the following types: [PRIVATE KEY PRIVATE KEY]"
    assert pair_error(key * 2, key) == f'tls: failed to find "CERTIFICATE" PEM block in certificate input {passed}'


def test_only_secrets_for_tls_are_looked_into() -> None:
    """Others hold what they like."""
    assert SECRET.warn is not None
    assert SECRET.warn({"type": "Opaque", "data": {}}, None) == []
    assert len(SECRET.warn({"type": "kubernetes.io/tls"}, None)) == 1


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ("[1]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ('{"a":}', "invalid character '}' looking for beginning of value"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 1}', "invalid character '1' after object key:value pair"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("{'a': 1}", "invalid character '\\'' looking for beginning of object key string"),
        ('{"a":"\\x"}', "invalid character 'x' in string escape code"),
    ],
)
def test_wrong_json_is_told_of_as_go_does(content: str, text: str) -> None:
    """With the character that it stumbled over."""
    data = {".dockercfg": base64.b64encode(content.encode()).decode()}
    assert SECRET.validate is not None
    (cause,) = SECRET.validate({"metadata": {}, "type": "kubernetes.io/dockercfg", "data": data})
    assert cause.message == f'Invalid value: "<secret contents redacted>": {text}'
