"""Sleepy: ask everybody once a second.

New here: one line, a sleep between two rounds. The CPU is free again.

Still wrong: there is no right length for that sleep. One second is too long when data is
quick: a line is shown up to a second late, and of several lines in that second only the last.
It is too short when there is none: the program wakes up for nothing.
"""

import os
import time

from .program import Program

PAUSE = 1.0  # seconds


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
            if children:
                time.sleep(PAUSE)
