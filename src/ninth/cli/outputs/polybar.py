"""For polybar: a line for each change, in which `%{` does not begin a tag.

    [module/watch]
    type = custom/script
    exec = ninth watch -o polybar ...
    tail = true

polybar has no way to write a literal `%{`, in which commands could set actions for clicks; so
the two are kept apart by a space of no width. Source: polybar's wiki, Formatting.
"""

from .line import LineOutput

APART = "%\N{ZERO WIDTH SPACE}{"


class PolybarOutput(LineOutput):
    """Lines in which polybar finds no tags."""

    def neutral(self, line: str) -> str:
        return line.replace("%{", APART)
