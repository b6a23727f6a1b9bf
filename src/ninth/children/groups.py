"""What a child has started, and how it is reached by signals.

A child that leads a process group or a session is signalled together with what it started. The
number of a group or a session is the pid of its leader, and stays taken as long as the leader is
not reaped: so a signal to it can reach no stranger before that, and may reach one after. Hence the
rule of processes.py: the group is signalled before its leader is reaped, never after.

Whether anybody is left when the leader has ended, no call tells: an unreaped leader still counts
as a member of its group. So it is looked for among all processes. That takes a fraction of a
millisecond,
and hardly anything in the most frequent case: a child that was short-lived and after which no
process was started cannot have left anything behind.

Source: setpgid(2), setsid(2), proc(5).
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A child that lived shorter than this cannot have seen all process numbers used up.
SHORT_LIFE = 0.1
# With so few newer processes, each is asked; with more, those that exist.
FEW = 64


class Group(enum.Enum):
    """Who is stopped with a child."""

    OURS = "ours"  # the child alone
    GROUP = "group"  # its process group
    SESSION = "session"  # its session, which may have many groups


def newest_pid() -> int:
    """Return the number of the process that was started last; 0 if it is not known."""
    try:
        with open("/proc/loadavg", "rb", buffering=0) as file:
            return int(file.read(128).split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


def candidates(leader: int, started: float) -> Iterable[int]:
    """Return the processes that may belong to a leader that was started at a monotonic time."""
    if time.monotonic() - started < SHORT_LIFE:
        newest = newest_pid()
        if 0 <= newest - leader < FEW:
            return range(leader + 1, newest + 1)
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return ()


def runs(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # pid (name of any bytes) state …
            return file.read(512).rpartition(b")")[2].split()[0] not in {b"Z", b"X"}
    except (OSError, IndexError):
        return False


def members(leader: int, group: Group, started: float) -> list[int]:
    """Return the running processes of a group or session, but for its leader.

    started: when the leader was, in monotonic seconds.
    Returns: pids; always an empty list for Group.OURS, and where there is no /proc.
    """
    if group is Group.OURS:
        return []
    number_of = os.getpgid if group is Group.GROUP else os.getsid
    found = []
    for pid in candidates(leader, started):
        try:
            if number_of(pid) == leader and pid != leader and runs(pid):
                found.append(pid)
        except OSError:  # it has ended meanwhile
            continue
    return found


def send(leader: int, group: Group, signum: int, started: float) -> None:
    """Send a signal to a leader that was not reaped, and to its group or session.

    Raises: PermissionError if nobody in it may be signalled.
    """
    if group is Group.OURS:
        os.kill(leader, signum)
        return
    if group is Group.SESSION:
        # A shell with job control gives each background job a process group of its own.
        for pid in members(leader, group, started):
            with contextlib.suppress(OSError):
                if os.getpgid(pid) != leader:
                    send_to_member(pid, leader, signum)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signum)


def send_to_member(pid: int, leader: int, signum: int) -> None:
    """Send a signal to a process of a session, never to one that got its number meanwhile."""
    try:
        fd = os.pidfd_open(pid)
    except (AttributeError, OSError):
        if os.getsid(pid) == leader:
            os.kill(pid, signum)
        return
    try:
        if os.getsid(pid) == leader:
            signal.pidfd_send_signal(fd, signum)
    finally:
        os.close(fd)
