"""The engine: the position of each source, when it is polled, and what a poll does."""
