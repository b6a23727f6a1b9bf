"""Colours of a terminal. Source: ECMA-48, SGR."""

RESET = "\x1b[0m"
DIM = "\x1b[2m"
# Those that can be read on dark and on light: no black, white or yellow; red is for failures.
COLORS = ("\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[34m")


def dim(text: str) -> str:
    """Return the text dimmed."""
    return f"{DIM}{text}{RESET}"


def color_of(index: int, text: str) -> str:
    """Return the text in the colour of a command."""
    return f"{COLORS[index % len(COLORS)]}{text}{RESET}"
