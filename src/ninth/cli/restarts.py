"""When a command that has ended is started again: the back-off."""

LONGEST_DELAY = 30.0  # seconds
# Who has run that long has got over what made it fail.
LONG_RUN = 10.0
# What doubling starts from at least, where the first restart is to come at once.
SHORTEST_DELAY = 0.05


class Restarts:
    """Decides about one command.

    when: "never", "on-failure" or "always". tries: how many restarts there may be in a row, None
    for any number. first: seconds before the first one; the delay doubles with each in a row, up
    to 30 s. A run of 10 s ends the row.
    """

    def __init__(self, when: str, tries: int | None, first: float) -> None:
        self._when = when
        self._tries = tries
        self._first = first
        self.count = 0  # in all
        self._in_a_row = 0

    def after(self, code: int, ran: float) -> float | None:
        """Return in how many seconds to start again after a run; None for not at all.

        code: the return code. ran: how many seconds the run took.
        """
        if self._when == "never" or (self._when == "on-failure" and code == 0):
            return None
        if ran >= LONG_RUN:
            self._in_a_row = 0
        if self._tries is not None and self._in_a_row >= self._tries:
            return None
        delay = self._first
        if self._in_a_row:
            base = max(self._first, SHORTEST_DELAY)
            # 2**10 of the shortest is more than the longest; more could be more than a float holds.
            doubled = base * 2 ** min(self._in_a_row, 10)
            delay = min(doubled, max(LONGEST_DELAY, self._first))
        self._in_a_row += 1
        self.count += 1
        return delay
