"""Promises without a coroutine: commands that run at once, and what comes of all of them.

    python promises.py COMMAND...

Prints the output of each command in the order of the arguments, as soon as all have ended; then
which was the first to end. A command that fails is reported, and does not stop the others.
"""

import sys
from subprocess import PIPE

import ninth

commands = sys.argv[1:]


class CommandError(Exception):
    """A command ended with a status other than 0."""


def output_of(scope: ninth.Scope, command: str) -> ninth.Promise[list[str]]:
    """Start a command; return a promise for its lines."""
    ended, end, fail = ninth.Promise.with_resolvers()
    lines: list[str] = []
    child = scope.process(command, shell=True, stdout=PIPE)
    assert child.stdout is not None
    read, all_read, _ = ninth.Promise.with_resolvers()
    scope.on_line(child.stdout, lines.append, on_end=all_read)
    scope.on_exit(
        child,
        lambda status: fail(CommandError(f"{command!r}: status {status}")) if status else end(),
    )
    # The lines are complete when both have come, in whichever order.
    return ninth.Promise.all([ended, read]).then(lambda _: lines)


def show(results: list[ninth.promise.Fulfilled[list[str]] | ninth.promise.Rejected]) -> None:
    for result in results:
        print(*(result.value if result.status == "fulfilled" else [f"failed: {result.reason}"]))


with ninth.scope() as scope:
    outputs = [output_of(scope, command) for command in commands]
    named = [
        output.then(lambda _, command=command: command)
        for output, command in zip(outputs, commands, strict=True)
    ]
    first = ninth.Promise.any(named).catch(lambda _: "none")
    ninth.Promise.all_settled(outputs).then(show).then(lambda _: first).then(
        lambda command: print("first:", command)
    )
