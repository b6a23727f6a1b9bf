"""What is said when all has ended: the exit status, what had to be killed, how long each ran."""

import sys
from collections.abc import Iterable, Sequence

from .ending import exit_status, fail, say_if_not_run
from .family import Member
from .watched import Watched


def status_of(watched: Sequence[Watched], success: str) -> int:
    """Return the exit status: 0 when --success is met, else that of the first that failed."""
    ends = sorted((one for one in watched if one.over), key=lambda one: one.ended)
    ends = [one for one in ends if not one.stopped]
    failed = [one for one in ends if one.failed]
    for one in failed:
        say_if_not_run(one.line, one.code or 0)
    judged = {"all": ends, "first": ends[:1], "last": ends[-1:]}[success]
    if not any(one.failed for one in judged) or not failed:
        return 0
    return exit_status(failed[0].code or 0)


def say_what_was_killed(killed: Iterable[Member], left: Iterable[Member]) -> None:
    """Say who did not stop when asked, and who is left nevertheless."""
    said = [f"{member.pid} ({member.name})" for member in killed]
    if said:
        word = "process" if len(said) == 1 else "processes"
        fail(f"killed {len(said)} {word} that did not stop when asked: {', '.join(said)}")
    pids = [member.pid for member in left]
    if pids:
        fail(f"could not stop these processes, not even by SIGKILL: {pids}")


def say_timings(watched: Iterable[Watched], began: float) -> None:
    """Say how long each command ran, from its first start to its last end."""
    for one in watched:
        if one.code is None:
            continue
        restarts = one.restarts.count
        word = "restart" if restarts == 1 else "restarts"
        again = f", {restarts} {word}" if restarts else ""
        ending = one.ending or "exit 0"
        sys.stderr.write(
            f"ninth: {one.name} ran {one.ended - one.started:.3f} s"
            f" from {one.started - began:.3f} s on: {ending}{again}\n"
        )
