"""A response becomes a page: bytes to events."""
