"""Prints random numbers at random intervals: the commands of `ninth demo`."""

import random
import time


def main() -> None:
    """Print until killed."""
    while True:
        time.sleep(random.uniform(0.2, 4))  # noqa: S311 - not for secrets
        print(random.randrange(2**15), flush=True)  # noqa: S311


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        raise SystemExit(1) from None
