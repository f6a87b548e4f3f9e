"""A certificate for 127.0.0.1 that is its own authority, for servers of tests that speak TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.servers import missing

MAKE = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    " -addext subjectAltName=IP:127.0.0.1"
)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Its file, of two days, and that of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("openssl", "apt-get install openssl")
        raise AssertionError("unreachable")
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run([openssl, *MAKE.split(), "-keyout", key, "-out", made], check=True, capture_output=True)
    return made, key
