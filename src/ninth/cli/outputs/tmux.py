"""For the status line of tmux: a line for each change, in which `#` is only a character.

    set -g status-right '#(ninth watch -o tmux ...)'

tmux shows the last line that such a command wrote. In it `#[...]` would set colours and `#(...)`
start commands; a doubled `#` stands for a single one. Source: tmux(1), FORMATS and STYLES.
"""

from .line import LineOutput


class TmuxOutput(LineOutput):
    """Lines in which tmux finds no markup."""

    def neutral(self, line: str) -> str:
        return line.replace("#", "##")
