"""The commands, one file each; `helr.cli` reads the command line and calls them."""
