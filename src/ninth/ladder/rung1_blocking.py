"""Blocking: read a line of each child in turn.

New here: nothing. This is how anybody would write it first: read from child 1, read from
child 2, show both, repeat.

Still wrong: a read waits until there is something to read. While the program waits for a slow
child it neither sees the lines of a quick one nor shows the time.
"""

from .program import Program


def watch(program: Program) -> None:
    """Run the program to its end."""
    with program:
        children = [program.start(command) for command in program.commands]
        while children:
            for child in list(children):
                if not child.read_line():
                    child.wait()
                    children.remove(child)
            program.render()
