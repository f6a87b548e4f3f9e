"""The image, built without a registry of images: on a Debian root made here, by buildah; and its parts, run from it.

As root. A part gets what compose.yaml gives it: a root that is read only, a /tmp in memory, the user of the image
without any rights, and the first number of a space of processes of its own. The network is this machine's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import debian
from tests.servers import missing
from tests.stack import ROOT, until

BUILD_S = 1200.0
BASE, TAG = "localhost/debian:trixie-slim", "localhost/siaga:test"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# What this machine believes, for its registries: with it the base differs from Debian's.
OUTSIDE = "/etc/ssl/outside.crt"
USER = "10001"
RUN = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mount -t devtmpfs devtmpfs "$1/dev" 2>/dev/null || mount --rbind /dev "$1/dev"
exec "$0" "$1" /usr/bin/setpriv --reuid="$2" --regid="$2" --clear-groups --bounding-set=-all --no-new-privs "${@:3}"
"""


class Image:
    """Built once; `close` takes everything away again."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "debootstrap"))):
            missing("buildah, as root", "apt-get install buildah debootstrap")
        self._folder = folder
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'
        )
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self._base()
        given = ("--build-arg", f"BASE={BASE}", "--build-arg", "VERSION=test")
        self._buildah("bud", "--isolation=chroot", "--pull-never", "--format=docker", *given, f"--tag={TAG}", str(ROOT))
        self._container = self._buildah("from", "--pull-never", TAG)
        self.root = Path(self._buildah("mount", self._container))

    def close(self) -> None:
        self._buildah("umount", self._container)
        self._buildah("rm", self._container)
        shutil.rmtree(self._folder)

    def inspect(self) -> dict[str, Any]:
        """Its configuration, as Docker has it."""
        found: dict[str, Any] = json.loads(self._buildah("inspect", "--type=image", TAG))["Docker"]["config"]
        return found

    def start(self, *command: str, env: Mapping[str, str], log: Path) -> Part:
        """A command of it, as a container would run it; the environment of the image and more."""
        own = {"PATH": "/opt/siaga/bin:/usr/bin:/bin", "HOME": "/tmp", "PYTHONUNBUFFERED": "1", **env}
        spaces = ("unshare", "--fork", "--kill-child", "--pid", "--mount", "--propagation", "private")
        inside = ("bash", "-c", RUN, shutil.which("chroot") or "chroot", str(self.root), USER, *command)
        with log.open("ab") as out:
            return Part(subprocess.Popen((*spaces, *inside), env=own, stdout=out, stderr=out), log)

    def run(self, *command: str, env: Mapping[str, str], log: Path) -> str:
        """To its end, which has to be a good one; what it said."""
        part = self.start(*command, env=env, log=log)
        code = part.process.wait(120)
        assert code == 0, f"{command}: {code}\n{part.said}"
        return part.said

    def _base(self) -> None:
        base = self._folder / "base"
        line = ("debootstrap", "--variant=minbase", "trixie", str(base), debian.mirror(), debian.SCRIPT)
        subprocess.run(line, check=True, capture_output=True, timeout=BUILD_S)
        made = self._buildah("from", "scratch")
        self._buildah("config", "--env=PATH=/usr/sbin:/usr/bin:/sbin:/bin", made)
        if CERTIFICATES.exists():
            (base / "etc/ssl").mkdir(exist_ok=True)
            shutil.copy(CERTIFICATES, base / OUTSIDE.lstrip("/"))
            for name in ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
                self._buildah("config", f"--env={name}={OUTSIDE}", made)
        self._buildah("add", "--quiet", made, str(base), "/")
        self._buildah("commit", "--quiet", made, BASE)
        self._buildah("rm", made)
        shutil.rmtree(base)

    def _buildah(self, command: str, *arguments: str) -> str:
        env = {**os.environ, "CONTAINERS_STORAGE_CONF": str(self._folder / "storage.conf")}
        # Of images from elsewhere it would want to know who signed them; there are none.
        policy = (
            ("--signature-policy", str(self._folder / "policy.json")) if command in ("bud", "from", "commit") else ()
        )
        done = subprocess.run(
            ("buildah", command, *policy, *arguments),
            env=env,
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
        assert done.returncode == 0, f"buildah {command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout.strip()


class Part:
    """One that runs, the first process of its space."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> int:
        """SIGTERM, as Docker does it; its exit code."""
        children = Path("/proc", str(self.process.pid), "task", str(self.process.pid), "children")
        first = until(lambda: children.read_text().split(), "it runs")
        os.kill(int(first[0]), 15)
        return self.process.wait(30)
