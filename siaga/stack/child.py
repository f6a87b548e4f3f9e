"""What a part of the stack is started through: it becomes the part's program, in the same process.

Promise: the part dies with `siaga up`, even when that is killed with -9, and PostgreSQL never runs as root.
Run by path with `python -I -S` (15 ms), so it imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

# <linux/prctl.h> and <sched.h>
PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534
# As `env` and shells do, so that the log tells "could not start" from an exit code of the program.
EXIT_NOT_STARTED = 126


def main(arguments: list[str]) -> None:
    """PARENT_PID DEATH_SIGNAL IDENTITY FOLDER PROGRAM [ARGUMENT …]; identity is self, namespace or nobody."""
    parent, death_signal, identity, folder, *command = arguments
    try:
        if identity == "namespace":
            enter_user_namespace()
        elif identity == "nobody":
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        # Only now: the kernel clears the death signal when a process changes who it is.
        die_with_parent(int(parent), int(death_signal))
        # Python ignores these two for itself; the program must not inherit that.
        for ignored in (signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)):
            signal.signal(ignored, signal.SIG_DFL)
        os.chdir(folder)
        os.execv(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        print(f"could not start {command[0]} as {identity}: {error}", file=sys.stderr)
        sys.exit(EXIT_NOT_STARTED)


def die_with_parent(parent: int, death_signal: int) -> None:
    """Have the kernel send this signal when the parent is gone. Elsewhere than on Linux there is no such thing."""
    if sys.platform != "linux":
        return
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died before we asked; then nobody would ever tell us.
    if os.getppid() != parent:
        sys.exit(EXIT_NOT_STARTED)


def enter_user_namespace() -> None:
    """Be nobody to ourselves and still the owner of our files: what `unshare -U --map-user=65534` does."""
    user, group = os.geteuid(), os.getegid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


if __name__ == "__main__":
    main(sys.argv[1:])
