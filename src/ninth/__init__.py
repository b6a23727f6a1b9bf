"""The ninth loop: callbacks and coroutines in one scope."""

__version__ = "0.1.0.dev0"
