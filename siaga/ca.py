"""A small certificate authority in a folder: for an installation without one, for its brokers and devices.

The folder holds the authority's key, so it belongs on a machine that is none of the servers. Keys of devices and
servers are never kept: they are written where asked, or stay where a request (CSR) was made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devices.topics import is_device_id

CERTIFICATE, KEY, CRL, ISSUED = "ca.pem", "ca-key.pem", "crl.pem", "issued.json"
# Clocks of devices that have just started are a little behind.
BEFORE = timedelta(hours=1)
YEARS, DEVICE_DAYS, SERVER_DAYS, CRL_DAYS = 10, 730, 397, 30

PublicKey = ec.EllipticCurvePublicKey


class CaError(Exception):
    """What was asked for cannot be done; the message says why."""


class Issued(NamedTuple):
    """A certificate, and the key that was made for it; None where a request came with its own."""

    certificate: bytes
    key: bytes | None


class Authority:
    """The authority of a folder. Raises CaError where there is none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self.certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
            key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
        except FileNotFoundError:
            raise CaError(f"{folder} holds no authority; `siaga ca init` makes one") from None
        except (OSError, ValueError, TypeError) as error:
            raise CaError(f"{folder}: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CaError(f"{folder / KEY} is none of our keys")
        self._key = key

    def device(self, name: str, now: datetime, days: int = DEVICE_DAYS, request: bytes | None = None) -> Issued:
        """For a device or a gateway, whose id becomes its common name. Raises CaError."""
        if not is_device_id(name):
            raise CaError(f"{name!r}: 1 to 64 letters, digits, _ or -")
        return self._issue(name, now, days, request, [ExtendedKeyUsageOID.CLIENT_AUTH], ())

    def server(
        self,
        names: Sequence[str],
        now: datetime,
        days: int = SERVER_DAYS,
        request: bytes | None = None,
        is_node: bool = False,
    ) -> Issued:
        """For a server that is reached by these host names and addresses; is_node: nodes of a cluster also show it to
        each other. Raises CaError."""
        if not names:
            raise CaError("name the server as its clients do: a host name or an address")
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if is_node else [])]
        return self._issue(names[0], now, days, request, purposes, names)

    def revoke(self, name: str, now: datetime) -> int:
        """Put the certificates of a name on the list of those that count no more; how many. Raises CaError."""
        issued = self._issued()
        hit = [each for each in issued if each["name"] == name and each["revoked_at"] is None]
        if not hit:
            raise CaError(f"no certificate of {name!r} that could be revoked")
        for each in hit:
            each["revoked_at"] = now.isoformat()
        self._write_issued(issued)
        self.write_crl(now)
        return len(hit)

    def write_crl(self, now: datetime) -> None:
        """The list, good for CRL_DAYS: brokers that read it let nobody in once it is older."""
        builder = x509.CertificateRevocationListBuilder(
            self.certificate.subject, now - BEFORE, now + timedelta(CRL_DAYS)
        )
        for each in self._issued():
            if each["revoked_at"] is not None:
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder(
                        int(each["serial"] or 0), datetime.fromisoformat(each["revoked_at"])
                    ).build()
                )
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False
        )
        builder = builder.add_extension(x509.CRLNumber(int(now.timestamp())), False)
        _write(self._folder / CRL, builder.sign(self._key, hashes.SHA256()).public_bytes(PEM), 0o644, replace=True)

    def _issue(
        self,
        name: str,
        now: datetime,
        days: int,
        request: bytes | None,
        purposes: Sequence[x509.ObjectIdentifier],
        places: Sequence[str],
    ) -> Issued:
        if days < 1:
            raise CaError(f"--days {days}: 1 at least")
        until = now + timedelta(days)
        if until > self.certificate.not_valid_after_utc:
            raise CaError(
                f"--days {days}: the authority itself ends on {self.certificate.not_valid_after_utc:%Y-%m-%d}"
            )
        own = None if request else new_key()
        public = own.public_key() if own else _requested(request or b"")
        serial = x509.random_serial_number()
        builder = (
            _builder(name, self.certificate.subject, public, now - BEFORE, until, serial)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(_usage(signs_certificates=False), True)
            .add_extension(x509.ExtendedKeyUsage(purposes), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        )
        if places:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_place, places))), False)
        made = builder.sign(self._key, hashes.SHA256())
        line = {"serial": str(serial), "name": name, "until": until.isoformat(), "revoked_at": None}
        self._write_issued([*self._issued(), line])
        return Issued(made.public_bytes(PEM), _pem(own) if own else None)

    def _issued(self) -> list[dict[str, str | None]]:
        try:
            found: list[dict[str, str | None]] = json.loads((self._folder / ISSUED).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise CaError(f"{self._folder / ISSUED}: {error}") from None
        return found

    def _write_issued(self, lines: Iterable[dict[str, str | None]]) -> None:
        _write(self._folder / ISSUED, json.dumps(list(lines), indent=1).encode() + b"\n", 0o600, replace=True)


PEM = serialization.Encoding.PEM


def init(folder: Path, name: str, now: datetime, years: int = YEARS) -> Authority:
    """Make an authority in a folder that holds none. Raises CaError."""
    if (folder / KEY).exists():
        raise CaError(f"{folder} holds an authority already; whatever it has issued would no longer be believed")
    key = new_key()
    subject = _name(name)
    until = now + timedelta(days=365 * years)
    made = (
        _builder(name, subject, key.public_key(), now - BEFORE, until, x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(_usage(signs_certificates=True), True)
        .sign(key, hashes.SHA256())
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CaError(f"{folder}: {error.strerror}") from None
    _write(folder / KEY, _pem(key), 0o600)
    _write(folder / CERTIFICATE, made.public_bytes(PEM), 0o644)
    authority = Authority(folder)
    authority.write_crl(now)
    return authority


def write(issued: Issued, certificate: Path, key: Path) -> None:
    """Where asked; nothing that is there is written over. Raises CaError."""
    if issued.key is not None:
        _write(key, issued.key, 0o600)
    _write(certificate, issued.certificate, 0o644)


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256: small devices have it in hardware, and every broker knows it."""
    return ec.generate_private_key(ec.SECP256R1())


def now_utc() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _builder(
    name: str, issuer: x509.Name, public: PublicKey, since: datetime, until: datetime, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )


def _name(text: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    except ValueError as error:
        raise CaError(f"{text!r}: {error}") from None


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _place(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _requested(request: bytes) -> PublicKey:
    """The key of a request; its name is ours to say, not theirs."""
    try:
        asked = x509.load_pem_x509_csr(request)
    except ValueError as error:
        raise CaError(f"the request is no CSR in PEM: {error}") from None
    if not asked.is_signature_valid:
        raise CaError("the request is not signed by its own key")
    public = asked.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise CaError("the request has no key on an elliptic curve; make one on P-256")
    return public


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(file: Path, content: bytes, mode: int, replace: bool = False) -> None:
    target = file.with_name(f".{file.name}.new") if replace else file
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if replace else os.O_EXCL)
    try:
        with os.fdopen(os.open(target, flags, mode), "wb") as opened:
            opened.write(content)
        if replace:
            target.replace(file)
    except FileExistsError:
        raise CaError(f"{file} is there already; move it away first") from None
    except OSError as error:
        raise CaError(f"{file}: {error.strerror}") from None
