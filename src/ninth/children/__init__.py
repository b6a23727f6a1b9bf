"""A child process: from its start until it is reaped, with what it has started itself."""
