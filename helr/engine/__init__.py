"""The engine: where each source stands, which is polled when, and what a poll does."""
