"""A Debian machine for an installation: a copy of a root (tests/debian.py) that runs systemd.

Processes, mounts and control groups are its own, the network is this machine's, so what listens in it needs free
ports. Nothing of it is left, however the tests end.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from tests import debian
from tests.servers import missing
from tests.stack import ROOT, until

STEP_S = 600.0
PACKAGES = ("systemd", "dbus")
# Where this machine's own registries are named, and what they are recognised by.
CONFIGURATION = ("/etc/resolv.conf", "/etc/pip.conf")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The first process, with the root, and a name that is nobody else's. It says its number as this side sees it. Without
# a control group below ours, its systemd would take those of this machine for its own.
BOOT = """
set -e
read -r number _ < /proc/self/stat
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/dev"
for device in null zero full random urandom tty; do
    touch "$1/dev/$device"
    mount --bind "/dev/$device" "$1/dev/$device"
done
touch "$1/dev/console"
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
ln -s pts/ptmx "$1/dev/ptmx"
mount -t tmpfs tmpfs "$1/dev/shm"
groups=$1/sys/fs/cgroup
mount -t cgroup2 cgroup2 "$groups"
mkdir "$groups/$2"
echo 0 > "$groups/$2/cgroup.procs"
umount "$groups"
echo "$number"
cd "$1"
exec unshare --cgroup sh -c 'mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup" && exec chroot "$1" \
    /usr/bin/env -i container=other PATH="$2" /lib/systemd/systemd --unit=multi-user.target' sh "$1" "$3"
"""
FORGET = """
set -e
mount -t cgroup2 cgroup2 "$1/mnt"
[ ! -d "$1/mnt/$2" ] || find "$1/mnt/$2" -depth -type d -exec rmdir {} +
"""
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "node_modules", "siaga-data", "results")


class Machine:
    """A machine that runs."""

    def __init__(self, folder: Path, suite: str = "trixie") -> None:
        if os.geteuid() != 0 or not debian.root(suite).exists():
            missing(f"a root of Debian {suite}", debian.CURE)
        self.root, self._name = folder / suite, f"siaga-test-{os.getpid()}"
        subprocess.run(("cp", "-a", "--reflink=auto", debian.root(suite), self.root), check=True)
        self._environment = {"HOME": "/root", "PATH": PATH, "LANG": "C.UTF-8"}
        self._prepare()
        spaces = ("unshare", "--fork", "--pid", "--kill-child", "--mount", "--ipc", "--uts", "--propagation", "private")
        command = (*spaces, "bash", "-c", BOOT, "boot", str(self.root), self._name, PATH)
        # The end of this process is its end too.
        dying = ("setpriv", "--pdeathsig", "KILL", *command)
        self._boot = subprocess.Popen(dying, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._boot.stdout is not None
        self._number = self._boot.stdout.readline().strip()
        try:
            assert self._number.isdecimal(), self._number
            until(self._is_up, "systemd is up", 120)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._boot.kill()
        self._boot.wait()
        assert self._boot.stdout is not None
        self._boot.stdout.close()
        own = ("unshare", "--mount", "--propagation", "private", "sh", "-c", FORGET, "sh", str(self.root), self._name)
        # The kernel takes its time with the last of them.
        until(
            lambda: subprocess.run(own, capture_output=True, check=False).returncode == 0, "its control groups are gone"
        )
        shutil.rmtree(self.root)

    def run(self, *command: str, stdin: str = "", code: int = 0) -> str:
        """What it says, both streams; it has to end with this code."""
        done = self._tried(*command, stdin=stdin)
        assert done.returncode == code, f"{shlex.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def checkout(self, path: str) -> Path:
        """A copy of this checkout in it; its place as this side sees it."""
        target = self.root / path.lstrip("/")
        shutil.copytree(ROOT, target, ignore=NOT_COPIED)
        return target

    def _prepare(self) -> None:
        for name in CONFIGURATION:
            if Path(name).exists():
                shutil.copy(name, self.root / name.lstrip("/"))
        if CERTIFICATES.exists():
            shutil.copy(CERTIFICATES, self.root / "etc/ssl/outside.crt")
            names = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
            self._environment |= dict.fromkeys(names, "/etc/ssl/outside.crt")
        inside = ("chroot", str(self.root), "apt-get", "-qq")
        env = {**self._environment, "DEBIAN_FRONTEND": "noninteractive"}
        for step in (("update",), ("install", "--yes", "--no-install-recommends", *PACKAGES)):
            subprocess.run((*inside, *step), env=env, check=True, capture_output=True, timeout=STEP_S)

    def _is_up(self) -> bool:
        """Whatever a machine without hardware lacks, it has started what it could."""
        return self._tried("systemctl", "is-system-running").stdout.strip() in ("running", "degraded")

    def _tried(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        spaces = ("nsenter", "--target", self._number, "--pid", "--mount", "--ipc", "--uts", "--cgroup", "--")
        # The root by its name, not that of the first process, which may not be in it yet.
        inside = (*spaces, "chroot", str(self.root), *command)
        return subprocess.run(
            inside, env=self._environment, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=STEP_S, check=False,
        )  # fmt: skip
