"""From a Request to a Response: authentication, rate limits, circuit breaker, retries.

Importing this package imports no HTTP library; the first request does.
"""

from __future__ import annotations

from helr.http.client import Transport
from helr.http.messages import Decode, Notes, Request, Response

__all__ = ["Decode", "Notes", "Request", "Response", "Transport"]
