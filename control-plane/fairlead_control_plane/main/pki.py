"""
Our own certificate authority and the server's certificate: made at first start, renewed before they run out.

ECDSA P-256 throughout. Files in the root directory: ``ca.crt``, ``ca.key``, ``apiserver.crt``, ``apiserver.key``.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairlead_control_plane.main.files import write_private

_CA_DAYS = 3650
_SERVER_DAYS = 365
_RENEW_DAYS = 60
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ServerPki:
    """Where the certificates are, and the CA that clients must trust (PEM)."""

    certificate: Path
    key: Path
    ca: bytes

    def context(self, client_ca: Path | None) -> ssl.SSLContext:
        """
        Return the TLS settings of the listener: 1.2 and up, HTTP/1.1 only, client certificates optional.

        Raises:
            OSError: ``client_ca`` cannot be read.
            ValueError: It holds no certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(self.certificate, self.key)
        if client_ca is not None:
            text = client_ca.read_text()
            try:
                context.load_verify_locations(cadata=text)
            except (ssl.SSLError, ValueError) as error:
                raise ValueError(f"{client_ca} holds no usable certificate; check --client-ca-file") from error
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


def ensure(directory: Path, hosts: Sequence[str], now: datetime) -> ServerPki:
    """
    Return the server's certificates; make or renew what is missing, soon to expire, or lacks one of ``hosts``.

    Args:
        directory: Exists and is private.
        hosts: DNS names and IP addresses the server is reached by.
        now: Current time with time zone.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: A file holds something else than it should.
    """
    ca_path, ca_key_path = directory / "ca.crt", directory / "ca.key"
    if ca_path.exists() and ca_key_path.exists():
        ca = x509.load_pem_x509_certificate(ca_path.read_bytes())
        ca_key = _load_key(ca_key_path)
        if ca.not_valid_after_utc - now < timedelta(days=_RENEW_DAYS):
            ca = _make_ca(ca_key, now)
            write_private(ca_path, _pem(ca))
    else:
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _make_ca(ca_key, now)
        write_private(ca_key_path, _key_pem(ca_key))
        write_private(ca_path, _pem(ca))
    certificate, key = directory / "apiserver.crt", directory / "apiserver.key"
    if not _still_good(certificate, key, ca, hosts, now):
        server_key = ec.generate_private_key(ec.SECP256R1())
        made = _make_server(ca, ca_key, server_key, hosts, now)
        write_private(key, _key_pem(server_key))
        write_private(certificate, _pem(made))
    return ServerPki(certificate, key, _pem(ca))


def _make_ca(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fairlead-ca")])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    return (
        _builder(name, name, key.public_key(), now, _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _make_server(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    hosts: Sequence[str],
    now: datetime,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fairlead-apiserver")])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        _builder(name, ca.subject, key.public_key(), now, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _still_good(certificate: Path, key: Path, ca: x509.Certificate, hosts: Sequence[str], now: datetime) -> bool:
    if not (certificate.exists() and key.exists()):
        return False
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        matches = _load_key(key).public_key() == found.public_key()
        found.verify_directly_issued_by(ca)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, a new one is made
        return False
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    missing = {_general_name(host) for host in hosts} - set(names)
    return matches and not missing and found.not_valid_after_utc - now > timedelta(days=_RENEW_DAYS)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} must hold an ECDSA private key")  # noqa: TRY004 - the file's content, not a type of ours
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
