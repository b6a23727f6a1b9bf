"""Waiting for files where there is no epoll: the standard library's `selectors`."""

import errno
import selectors

from ninth.loop.poller import READ, WRITE

# selectors' own bits differ from ours in the value of WRITE.
TO_SELECTORS = {
    READ: selectors.EVENT_READ,
    WRITE: selectors.EVENT_WRITE,
    READ | WRITE: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
FROM_SELECTORS = {theirs: ours for ours, theirs in TO_SELECTORS.items()}


class SelectorsPoller:
    """Tells which descriptors are ready, by any selector. Thread-safe: no.

    selector: a selectors.BaseSelector; the best of the platform by default.
    keeps: see EpollPoller; select() fails for ever on a closed descriptor.
    """

    keeps = False

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        self.selector = selectors.DefaultSelector() if selector is None else selector

    def set(self, fd: int, mask: int, again: bool) -> bool:
        """Wait for the conditions in mask on fd, and for no others; 0 forgets it.

        Returns: False if this file cannot be waited for because it is always ready.
        Raises: OSError when fd is closed or the system refuses.
        """
        key = self.selector.get_map().get(fd)
        if key is not None:
            if not again and key.events == TO_SELECTORS.get(mask):
                return True
            # Registering anew, where modify() would believe that it knows the file.
            self.selector.unregister(fd)
        if mask:
            try:
                self.selector.register(fd, TO_SELECTORS[mask])
            except OSError as error:
                if error.errno == errno.EPERM:
                    return False
                raise
        return True

    def drop(self, fd: int) -> None:
        """Get rid of an event that nobody wants; afterwards fd is not waited for."""
        if fd in self.selector.get_map():
            self.selector.unregister(fd)

    def wait(self, timeout: float) -> list[tuple[int, int]]:
        """Wait for events and return them as pairs of a descriptor and READ, WRITE or both.

        timeout: seconds; below zero waits for ever, zero only looks.
        """
        found = self.selector.select(None if timeout < 0 else timeout)
        return [(key.fd, FROM_SELECTORS[events]) for key, events in found]

    def close(self) -> None:
        """Give the descriptor back; idempotent."""
        self.selector.close()
