"""The callback loop."""
