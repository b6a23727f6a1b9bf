"""Select: let the kernel say who has something.

New here: a selector. It is given all files once, and one call sleeps exactly until one of them
is ready or the interval is over. Nobody is asked in vain, nothing is late, nothing is burnt.
The end of a command is a file like its output, so one wait covers both.

Still wrong: everything meets in this one loop. It has to know each kind of file and what to do
with it; a second interval, or a signal, would have to be woven into the same few lines.
"""

import selectors

from .program import Program


def watch(program: Program) -> None:
    """Run the program to its end."""
    with program, selectors.DefaultSelector() as selector:
        for command in program.commands:
            child = program.start(command)
            selector.register(child.output, selectors.EVENT_READ, child.read)
            selector.register(child.end, selectors.EVENT_READ, child.running)
        while selector.get_map():
            for key, _ in selector.select(program.interval):
                goes_on = key.data
                if not goes_on():
                    selector.unregister(key.fileobj)
            program.render()
