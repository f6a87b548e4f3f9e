"""The small authority: what it issues is believed by those who check, and by nobody without it."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from siaga import ca
from siaga.ca_cli import ca_app
from siaga.cli import app

NOW = ca.now_utc()


def openssl(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)


@pytest.fixture
def authority(tmp_path: Path) -> ca.Authority:
    return ca.init(tmp_path / "ca", "test", NOW)


@pytest.mark.parametrize(
    ("server", "purpose", "wrong"), [(False, "sslclient", "sslserver"), (True, "sslserver", "sslclient")]
)
def test_openssl_believes_it_for_its_purpose_only(
    authority: ca.Authority, tmp_path: Path, server: bool, purpose: str, wrong: str
) -> None:
    issued = authority.server(["localhost", "127.0.0.1"], NOW) if server else authority.device("wl-1", NOW)
    ca.write(issued, tmp_path / "one.pem", tmp_path / "one-key.pem")
    check = ("verify", "-x509_strict", "-CAfile", tmp_path / "ca/ca.pem", "-purpose")
    assert openssl(*check, purpose, tmp_path / "one.pem").returncode == 0
    assert openssl(*check, wrong, tmp_path / "one.pem").returncode != 0
    assert (tmp_path / "one-key.pem").stat().st_mode & 0o777 == 0o600


def test_what_is_revoked_is_on_the_list(authority: ca.Authority, tmp_path: Path) -> None:
    ca.write(authority.device("wl-1", NOW), tmp_path / "one.pem", tmp_path / "one-key.pem")
    check = ("verify", "-crl_check", "-CAfile", tmp_path / "ca/ca.pem", "-CRLfile", tmp_path / "ca/crl.pem")
    assert openssl(*check, tmp_path / "one.pem").returncode == 0
    assert authority.revoke("wl-1", NOW) == 1
    assert "revoked" in openssl(*check, tmp_path / "one.pem").stderr
    with pytest.raises(ca.CaError, match="no certificate of 'wl-1'"):
        authority.revoke("wl-1", NOW)


def test_a_request_keeps_its_key_but_not_its_name(authority: ca.Authority, tmp_path: Path) -> None:
    key, request = tmp_path / "own.key", tmp_path / "own.csr"
    made = openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
        "-subj", "/CN=somebody-else",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    issued = authority.device("wl-1", NOW, request=request.read_bytes())
    assert issued.key is None
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    assert certificate.subject.rfc4514_string() == "CN=wl-1"
    assert certificate.public_key() == x509.load_pem_x509_csr(request.read_bytes()).public_key()
    with pytest.raises(ca.CaError, match="no CSR"):
        authority.device("wl-1", NOW, request=b"x")


def test_what_cannot_be_is_said(authority: ca.Authority, tmp_path: Path) -> None:
    for wrong, said in (
        (lambda: authority.device("a b", NOW), "1 to 64 letters"),
        (lambda: authority.device("wl-1", NOW, days=0), "1 at least"),
        (lambda: authority.device("wl-1", NOW + timedelta(days=3600)), "the authority itself ends"),
        (lambda: authority.server([], NOW), "name the server"),
        (lambda: ca.init(tmp_path / "ca", "again", NOW), "holds an authority already"),
        (lambda: ca.Authority(tmp_path / "nowhere"), "`siaga ca init` makes one"),
    ):
        with pytest.raises(ca.CaError, match=said):
            wrong()


def test_the_command_writes_what_it_says_and_nothing_twice(tmp_path: Path) -> None:
    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(ca_app, [*words, "--ca", str(tmp_path / "ca")])
        return done.exit_code, done.output

    assert run("init")[0] == 0
    assert run("issue", "wl-1", "--out", str(tmp_path))[0] == 0
    assert {file.name for file in tmp_path.glob("wl-1*")} == {"wl-1.pem", "wl-1-key.pem"}
    assert "is there already" in run("issue", "wl-1", "--out", str(tmp_path))[1]
    assert "a device has one name" in run("issue", "wl-1", "wl-2")[1]
    assert run("issue", "--server", "localhost", "127.0.0.1", "--out", str(tmp_path))[0] == 0
    # The one for which there was no place counts: somebody may have it.
    assert "2 revoked" in run("revoke", "wl-1")[1]
    assert run("crl")[0] == 0
    assert "ca" in CliRunner().invoke(app, ["--help"]).output
