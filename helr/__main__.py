"""`python -m helr` is the `helr` command."""

from helr.cli import entry

if __name__ == "__main__":
    entry()
