"""From a Request to a Response: authenticated, paced, retried, and held back where that is due.

Importing it imports no HTTP library; the first request does.
"""
