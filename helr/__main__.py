"""`python -m helr` is the `helr` command."""

import sys

from helr.cli import main

if __name__ == "__main__":
    sys.exit(main())
