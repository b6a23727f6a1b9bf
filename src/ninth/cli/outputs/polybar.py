"""For polybar: a line for each change, in which a command's `%{` does not begin a tag.

    [module/watch]
    type = custom/script
    exec = ninth watch -o polybar ...
    tail = true

polybar has no way to write a literal `%{`, in which commands could set actions for clicks; so
the two are kept apart by a space of no width, which also follows a `%` at the end: with an empty
separator another command could go on with `{`. Source: polybar's wiki, Formatting.
"""

from .line import LineOutput

APART = "%\N{ZERO WIDTH SPACE}"


class PolybarOutput(LineOutput):
    """Lines in which polybar finds no tags of commands."""

    def neutral(self, text: str) -> str:
        if text.endswith("%"):
            text = text[:-1] + APART
        return text.replace("%{", APART + "{")
