"""From a response to a page: bytes become events."""
