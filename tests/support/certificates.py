"""A certificate authority for one test, and server certificates from it."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_FOR = datetime.timedelta(days=2)
_ENCODING = serialization.Encoding.PEM
_SERVER_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of a PEM certificate and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: where its certificate lies, and what signs with it."""

    certificate: Path
    _key: ec.EllipticCurvePrivateKey
    _subject: x509.Name

    def issue(self, folder: Path, name: str) -> Certificate:
        """Write a certificate for servers on loopback to ``folder``, as ``NAME.crt`` and ``NAME.key``."""
        key = ec.generate_private_key(ec.SECP256R1())
        hosts: list[x509.GeneralName] = [x509.DNSName(host) for host in _SERVER_NAMES]
        hosts += [x509.IPAddress(ipaddress.ip_address(address)) for address in _SERVER_ADDRESSES]
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            _builder(_name(name), self._subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
            .add_extension(usage, critical=False)
            .add_extension(issuer, critical=False)
        )
        files = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
        files.certificate.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(_ENCODING))
        write_key(key, files.key)
        return files


def make_authority(folder: Path) -> Authority:
    """Make an authority whose certificate is ``folder/ca.crt``; its key stays in memory."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("test authority")
    signing = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(signing, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "ca.crt"
    path.write_bytes(certificate.public_bytes(_ENCODING))
    return Authority(path, key, subject)


def write_service_account_key(folder: Path) -> Path:
    """Write the RSA key that service account tokens are signed with."""
    path = folder / "service-account.key"
    write_key(rsa.generate_private_key(public_exponent=65537, key_size=2048), path)
    return path


def write_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, path: Path) -> None:
    """Write a private key, readable by its owner alone."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(_ENCODING, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    # Started in the past, because two processes need not agree on the second.
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + VALID_FOR)
    )
