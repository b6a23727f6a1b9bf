"""Busy: never wait for anybody, ask everybody again and again.

New here: the outputs are set non-blocking. A read with nothing to read raises BlockingIOError
at once instead of waiting, so a slow child holds up nobody.

Still wrong: the loop asks hundreds of thousands of times a second and nearly always hears "not
yet". It takes a whole CPU for a program that has nothing to do.
"""

import os

from .program import Program


def watch(program: Program) -> None:
    """Run the program to its end."""
    with program:
        children = [program.start(command) for command in program.commands]
        for child in children:
            os.set_blocking(child.output.fileno(), False)
        while children:
            for child in list(children):
                running = child.running()  # its status, even if somebody holds its output open
                try:
                    if not child.read() and not running:
                        children.remove(child)
                except BlockingIOError:
                    pass
            program.render()
