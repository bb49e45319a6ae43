"""What helr costs, beside what one would use instead: `make bench`, or `python -m bench --help`."""
