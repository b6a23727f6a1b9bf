"""All that the commands have started, however far it has gone: found, signalled, reaped.

A session finds most of it. What makes a session of its own (setsid, a daemon) leaves that; if its
parent then ends, it becomes a child of init and cannot be found any more. Unless an ancestor has
said that it takes such orphans in: then they become *our* children, and every process that ever
came out of a command is a descendant of ours. That is a property of the whole process, with
consequences for every wait() in it, so it is for a program to set, never for a library.

Who takes orphans in has to reap them. And it hears of the end of everything: when the last
descendant ends, all between it and us have ended before, so it is our child, and SIGCHLD comes.
So nothing here has to ask again and again.

Where there is no sub-reaper and no /proc, sessions and groups are all there is.

Source: PR_SET_CHILD_SUBREAPER in prctl(2), proc(5).
"""

import contextlib
import os
import signal
import sys
from collections.abc import Iterable
from typing import NamedTuple

PR_SET_CHILD_SUBREAPER = 36


class Member(NamedTuple):
    """A process that runs, zombies left out."""

    pid: int
    parent: int
    group: int
    session: int
    name: str


def take_in_orphans() -> bool:
    """Make this process the parent of all descendants whose parent ends. Return whether it is."""
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - not needed elsewhere

    with contextlib.suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    return False


class Family:
    """What a set of leaders, children of ours that lead a session each, has started.

    leaders: their pids, as long as they are not reaped. hears_all: whether SIGCHLD tells of the
    last end; if not, one has to look now and then.
    """

    def __init__(self) -> None:
        self.leaders: set[int] = set()
        # Children that we had before: a shell that was replaced by us (exec) may have left some.
        self._strangers = _children()
        self.hears_all = take_in_orphans()

    def living(self, session: int | None = None) -> list[Member]:
        """Return what runs: all of it, or what is in the session of one leader."""
        processes = _processes()
        if processes is None:
            return [
                Member(pid, os.getpid(), pid, pid, "")
                for pid in self.leaders
                if session in {None, pid} and not has_ended(pid)
            ]
        if session is not None:
            return [one for one in processes.values() if one.session == session]
        known = dict.fromkeys(self._strangers, False)
        known[os.getpid()] = False

        def is_ours(member: Member) -> bool:
            pid = member.pid
            if pid not in known:
                if member.session in self.leaders or member.parent == os.getpid():
                    known[pid] = True
                else:
                    known[pid] = False  # should a chain of parents run in circles
                    parent = processes.get(member.parent)
                    known[pid] = parent is not None and is_ours(parent)
            return known[pid]

        return [member for member in processes.values() if is_ours(member)]

    def send(self, members: Iterable[Member], *signums: int) -> None:
        """Send signals to processes; to each process each signal once.

        The group of a leader is signalled as one, so that what it forks meanwhile gets it too.
        """
        members = list(members)
        groups = self.leaders & {member.group for member in members}
        for signum in signums:
            for group in groups:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signum)
            for member in members:
                if member.group not in groups:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(member.pid, signum)

    def reap_orphans(self) -> None:
        """Reap the children that ended and are no leaders, and forget which leaders are reaped."""
        for pid in _children() - self.leaders - self._strangers:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def has_ended(pid: int) -> bool:
    """Return whether a child of ours has ended; does not reap it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def _children() -> set[int]:
    """Return the children of this process, zombies included; empty where that is unknown."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return set(map(int, file.read().split()))
    except OSError:
        processes = _processes(zombies=True) or {}
        return {pid for pid, member in processes.items() if member.parent == os.getpid()}


def _processes(*, zombies: bool = False) -> dict[int, Member] | None:
    """Return all processes of this machine; None where there is no /proc."""
    try:
        names = os.listdir("/proc")
    except OSError:
        return None
    found = {}
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb", buffering=0) as file:
                # pid (name of any bytes) state ppid pgrp session …
                head, _, rest = file.read(1024).rpartition(b")")
        except OSError:  # it has ended meanwhile
            continue
        state, parent, group, session = rest.split(None, 4)[:4]
        if zombies or state not in b"ZX":
            title = head.partition(b"(")[2].decode(errors="replace")
            member = Member(int(name), int(parent), int(group), int(session), title)
            found[member.pid] = member
    return found


def stop_now(family: Family, seconds: float) -> list[Member]:
    """Stop everything without a loop: ask, wait up to so many seconds, kill. Return who is left.

    For what goes wrong before there is a loop, or in it.
    """
    import time  # noqa: PLC0415

    family.send(family.living(), signal.SIGTERM, signal.SIGCONT)
    deadline = time.monotonic() + seconds
    while members := family.living():
        now = time.monotonic()
        if now > deadline:
            family.send(members, signal.SIGKILL)
        if now > deadline + 2:
            break
        family.reap_orphans()
        time.sleep(0.005)
    return members


def suspend(family: Family) -> None:
    """Stop everything and this process, until somebody says: go on."""
    members = family.living()
    family.send(members, signal.SIGSTOP)
    # Not SIGSTOP: where no shell could continue us, the system ignores a SIGTSTP that is not
    # handled (setpgid(2), orphaned process groups).
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)
    family.send(members, signal.SIGCONT)
