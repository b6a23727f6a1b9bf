"""For tmux's status line: a line for each change, in which a command's `#` is only a character.

    set -g status-right '#(ninth watch -o tmux ...)'

tmux shows the last line that such a command wrote. In it `#[...]` would set colours and `#(...)`
start commands. A doubled `#` stands for a single one in some places and for two in others, and
one at the end would join with what tmux puts after it; so each is kept apart from what follows by
a space of no width.

Source: tmux(1), FORMATS and STYLES; format_expand1() and format_draw() in its source.
"""

from .line import LineOutput

APART = "#\N{ZERO WIDTH SPACE}"


class TmuxOutput(LineOutput):
    """Lines in which tmux finds no markup of commands."""

    def neutral(self, text: str) -> str:
        return text.replace("#", APART)
