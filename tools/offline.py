"""Run a command with no network except loopback: `python tools/offline.py make test`.

It uses a network namespace (Linux, unshare(2)), and a user namespace where that needs more rights.
The command sees one interface, lo, and no route out. The exit status is the command's, or 2 when
there is no namespace.
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
        print(f"offline: cannot create a network namespace: {error.strerror}", file=sys.stderr)
        return 2
    try:
        os.execvp(command[0], command)  # noqa: S606 - the purpose of this tool
    except OSError as error:
        print(f"offline: {command[0]}: {error.strerror}", file=sys.stderr)
        return 2


def leave_the_network() -> None:
    """Enter an empty network namespace, as the same user."""
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
    """Bring up lo, which is down in a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(sock, SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
