"""What helr and its alternatives cost: `make bench`, or `python -m bench --help`."""
