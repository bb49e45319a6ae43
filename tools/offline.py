"""Run a command with no network but the loopback: `python tools/offline.py make test`.

A network namespace of its own (Linux, unshare(2)); where that needs more rights than there
are, a user namespace gives them. The command sees one interface, lo, and no route out. The
exit status is the command's, or 2 when this cannot be done here.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000  # linux/sched.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)


def main(command: list[str]) -> int:
    if not command:
        print("usage: offline.py COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    try:
        leave_the_network()
        raise_loopback()
    except OSError as error:
        print(f"offline: no network namespace here: {error.strerror}", file=sys.stderr)
        return 2
    try:
        os.execvp(command[0], command)  # noqa: S606 - what was asked for
    except OSError as error:
        print(f"offline: {command[0]}: {error.strerror}", file=sys.stderr)
        return 2


def leave_the_network() -> None:
    """Into an empty network namespace, as the same user."""
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        user, group = os.getuid(), os.getgid()
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def raise_loopback() -> None:
    """A new namespace has its lo down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(sock, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
