"""The configs we ship, in the real shippers."""
