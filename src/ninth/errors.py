"""The errors of layer 1 that no built-in class is right for."""


class FileClosedError(OSError, ValueError):
    """The file was closed, before a wait for it or meanwhile.

    An OSError, for it is about a file, and a ValueError, which the standard library raises for a
    closed one; `io.UnsupportedOperation` is both as well.
    """


class BusyError(RuntimeError):
    """Somebody else does the same with this object already, and only one can at a time."""


class LineTooLong(ValueError):  # noqa: N818  (the name says it)
    """A line, or what was to end with a separator, is longer than the limit.

    Nothing of it is lost: what came so far is still to be read.
    """
