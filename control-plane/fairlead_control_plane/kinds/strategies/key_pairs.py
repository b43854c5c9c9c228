"""
Certificates and keys in Secrets: what is warned of when they are no pair.

Source: Go 1.26 crypto/tls (X509KeyPair), whose words these are; k8s.io/kubernetes pkg/registry/core/secret/strategy.go.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from fairlead_control_plane.kinds.strategies.pem import Block, blocks

_CERTIFICATE, _KEY = "CERTIFICATE", "PRIVATE KEY"
_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def pair_error(certificate: bytes, key: bytes) -> str:
    """Return why a certificate, its chain behind it, and a key (both PEM) cannot serve TLS; ``""`` if they can."""
    found = _first(certificate, lambda block: block.type == _CERTIFICATE)
    if not isinstance(found, Block):
        return _no_certificate(found)
    try:
        public = x509.load_der_x509_certificate(found.content).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "x509: malformed certificate"
    private = _first(key, lambda block: block.type == _KEY or block.type.endswith(f" {_KEY}"))
    return _key_error(private.content, public) if isinstance(private, Block) else _no_key(private)


def _key_error(content: bytes, public: object) -> str:
    """Return why a key (DER) is not that of a certificate's public key."""
    try:
        loaded = load_der_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "tls: failed to parse private key"
    if not isinstance(loaded, _Key):
        return "tls: unknown public key algorithm"
    own = loaded.public_key()
    if type(own) is not type(public):
        return "tls: private key type does not match public key type"
    return "" if own == public else "tls: private key does not match public key"


def _first(data: bytes, is_wanted: Callable[[Block], bool]) -> Block | list[str]:
    """Return the first block that is wanted, or the types of those that are not."""
    passed = []
    for block in blocks(data):
        if is_wanted(block):
            return block
        passed.append(block.type)
    return passed


def _no_certificate(passed: list[str]) -> str:
    if not passed:
        return "tls: failed to find any PEM data in certificate input"
    if len(passed) == 1 and passed[0].endswith(_KEY):
        return (
            "tls: failed to find certificate PEM data in certificate input, but did find a private key; "
            "PEM inputs may have been switched"
        )
    return f'tls: failed to find "{_CERTIFICATE}" PEM block in certificate input {_passed(passed)}'


def _no_key(passed: list[str]) -> str:
    if not passed:
        return "tls: failed to find any PEM data in key input"
    if passed == [_CERTIFICATE]:
        return "tls: found a certificate rather than a key in the PEM for the private key"
    return f'tls: failed to find PEM block with type ending in "{_KEY}" in key input {_passed(passed)}'


def _passed(types: list[str]) -> str:
    return f"after skipping PEM blocks of the following types: [{' '.join(types)}]"
