"""A scripted child: writes lines at given times, each with the moment at which it was written.

Run as a script, `child.py FOLDER INDEX`, and imports next to nothing, so that two hundred of them
start quickly. The folder is that of workload.prepare().
"""

import sys
import time


def main(folder: str, index: str) -> None:
    """Wait for the common start, then write `index sequence nanoseconds` whenever it is due."""
    with open(f"{folder}/{index}", encoding="ascii") as file:
        *due, end = [int(line) for line in file]
    # Opened before we say that we are ready: what is written to it then cannot get lost.
    with open(f"{folder}/go", "rb", buffering=0) as go:
        with open(f"{folder}/ready", "wb", buffering=0) as ready:
            ready.write(b".")
        start = go.read(20)
    if not start:  # whoever was to give the start has gone
        return
    zero = int(start)
    with open(1, "wb", buffering=0) as output:
        for sequence, moment in enumerate(due):
            _sleep_until(zero + moment)
            output.write(b"%s %d %d\n" % (index.encode(), sequence, time.monotonic_ns()))
        _sleep_until(zero + end)


def _sleep_until(moment: int) -> None:
    seconds = (moment - time.monotonic_ns()) / 1e9
    if seconds > 0:
        time.sleep(seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
