"""From a Request to a Response: auth, pace, breaker, retries, one answer.

Importing it imports no HTTP library; the first request does.
"""

from __future__ import annotations

from helr.transport.client import Transport
from helr.transport.model import Decode, Notes, Request, Response

__all__ = ["Decode", "Notes", "Request", "Response", "Transport"]
