"""Ninth: callbacks and coroutines in one scope.

New here: a scope. What is registered in it ends with it: files, times, signals and children need
no loop that somebody keeps, no stop, no unregistering. An exception in a callback leaves the
`with` block, with a note that says where the callback was registered. A plain function and a
coroutine function may stand in each other's place; here all are plain functions, and there is
no `async` anywhere.
"""

import contextlib

import ninth
from ninth.ladder.program import Child, Program


def watch(program: Program) -> None:
    """Run the program to its end."""

    def on_output(child: Child) -> object:
        goes_on = child.read()
        program.render()
        return None if goes_on else ninth.STOP

    def on_end(child: Child) -> object:
        return None if child.running() else ninth.STOP

    def on_asked() -> None:
        # In a signal handler: all that may be done is to wake the loop up, if it still is there.
        with contextlib.suppress(RuntimeError):
            scope.loop.call_soon_threadsafe(scope.cancel, "a signal")

    try:
        with program, program.shielded(), ninth.scope() as scope:
            program.on_asked = on_asked
            for command in program.commands:
                child = program.start(command)
                scope.on_readable(child.output, on_output, child)
                scope.on_readable(child.end, on_end, child)
            scope.every(program.interval, program.render, background=True)
            program.raise_if_asked()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
