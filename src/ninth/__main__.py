"""`python -m ninth` is the command `ninth`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
