"""The choice of a poller."""

import os
import select
from typing import Any

from ninth.loop.selectors_poller import SelectorsPoller


def new_poller() -> Any:
    """Return the best poller there is; NINTH_POLLER=selectors in the environment forces that."""
    if hasattr(select, "epoll") and os.environ.get("NINTH_POLLER") != "selectors":
        from ninth.loop.poller import EpollPoller  # noqa: PLC0415

        return EpollPoller()
    return SelectorsPoller()
