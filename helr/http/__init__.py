"""From a Request to a Response: authentication, rate limits, circuit breaker, retries.

Importing this package imports no HTTP library; the first request does.
"""
