"""The mock without its sockets: events, cursors, faults and settings behind one lock.

`answer` takes a request and returns a reply; server.py carries them over HTTP.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import IO

from mock_server import control, slack
from mock_server.events import Event, Generator, given_event, spread
from mock_server.faults import Fault, Orders
from mock_server.messages import Reply, Request, json_reply
from mock_server.settings import Bucket, Settings
from mock_server.store import Cursors, Filter, Store

LOGS_PATH = "/audit/v1/logs"
_KEPT_REQUESTS = 100_000


class Mock:
    """One organization's audit log. Every public method may be called from any thread."""

    def __init__(
        self,
        events: int,
        seed: int,
        settings: Settings,
        base_time: int | None = None,
        live: float = 0,
        request_log: IO[str] | None = None,
    ) -> None:
        """The last of the `events` is at `base_time` (Unix seconds, default now); `live` more
        appear every second. `request_log` gets one line of JSON per request."""
        self.lock = threading.RLock()
        self.settings = settings
        self.store = Store()
        self.cursors = Cursors()
        self.orders = Orders(seed)
        self.requests: deque[dict[str, object]] = deque(maxlen=_KEPT_REQUESTS)
        self.url = ""
        self._generator = Generator(seed)
        self._made = 0
        self._fixed_time = base_time
        self._started = time.time()
        self._live = live
        self._live_made = 0
        self._bucket = Bucket()
        self._request_log = request_log
        self._numbers = 0
        self.logs_requests = 0
        end = int(self._started) if base_time is None else base_time
        for when in spread(seed, events, end):
            self._generate(when)

    def _generate(self, when: int) -> Event:
        event = self._generator.make(self._made, when)
        self._made += 1
        self.store.add(event)
        return event

    def add_generated(self, count: int, at: int | None = None) -> list[str]:
        """Add events, all dated `at`; by default now, or with a base time a second after the
        last batch. Returns their ids, oldest first."""
        with self.lock:
            self.catch_up()
            if at is None and self._fixed_time is not None:
                self._fixed_time += 1
            when = at if at is not None else self._fixed_time
            stamp = int(time.time()) if when is None else when
            return [self._generate(stamp).id for _ in range(count)]

    def add_given(self, texts: Iterable[bytes]) -> list[str]:
        """Add events given as JSON text, kept byte for byte. Raises ValueError, adding none."""
        made = [given_event(text) for text in texts]
        with self.lock:
            self.catch_up()
            for event in made:
                self.store.add(event)
        return [event.id for event in made]

    def catch_up(self) -> None:
        """Generate the live events that are due by now. The lock must be held."""
        if not self._live:
            return
        due = math.floor((time.time() - self._started) * self._live)
        for number in range(self._live_made + 1, due + 1):
            self._generate(int(self._started + number / self._live))
        self._live_made = max(due, self._live_made)

    def events(self, wanted: Filter | None = None) -> list[Event]:
        """All matching events, newest first."""
        with self.lock:
            self.catch_up()
            return list(self.store.newest_first(wanted or Filter()))

    def fault(self, order: str) -> None:
        """Add a fault; its N counts from the requests so far. Raises ValueError."""
        with self.lock:
            self.orders.add(order, self.logs_requests)

    def answer(self, request: Request) -> Reply:
        """The reply to any request; never raises."""
        with self.lock:
            if request.path.startswith("/_mock/") or request.path == "/":
                return control.answer(self, request)
            self._numbers += 1
            fault: Fault | None = None
            if request.path == LOGS_PATH and request.method == "GET":
                self.logs_requests += 1
                fault = self.orders.pick(self.logs_requests)
            reply = self._answer(request, fault)
            self._note(request, reply, fault)
            return reply

    def _answer(self, request: Request, fault: Fault | None) -> Reply:
        routes = {
            LOGS_PATH: lambda: self._logs(request, fault),
            "/audit/v1/schemas": slack.schemas,
            "/audit/v1/actions": slack.actions,
        }
        if request.path not in routes:
            return json_reply(404, {"ok": False, "error": "not_found"})
        if request.method != "GET":
            return json_reply(405, {"ok": False, "error": "method_not_allowed"}, Allow="GET")
        return routes[request.path]()

    def _logs(self, request: Request, fault: Fault | None) -> Reply:
        self.catch_up()
        scene = _Scene(self, request)
        return fault.reply(scene) if fault else scene.due()

    def page(self, request: Request, now: float) -> slack.Page:
        """The page that is due. Raises slack.RefusedError."""
        slack.check_token(request.headers.get("authorization"), self.settings.token)
        return slack.logs(self.store, self.cursors, self.settings, request.query, now)

    def limited(self, now: float) -> int:
        """Seconds to wait by the rate limit, 0 if the call may pass; takes one call."""
        rate = self.settings.rate_limit
        return self._bucket.wait(rate, now) if rate else 0

    def _note(self, request: Request, reply: Reply, fault: Fault | None) -> None:
        headers = request.headers
        answered = reply.wire not in ("reset", "close", "hang")
        entry: dict[str, object] = {
            "n": self._numbers,
            "time": round(time.time(), 3),
            "method": request.method,
            "path": request.path,
            "query": self.without_token(request.query),
            "status": reply.status if answered else None,
            "fault": fault.name if fault else None,
            "host": headers.get("host", ""),
            "authorization": "authorization" in headers,
            "user_agent": self.without_token(headers.get("user-agent", "")),
        }
        self.requests.append(entry)
        if self._request_log is not None:
            self._request_log.write(json.dumps(entry) + "\n")
            self._request_log.flush()

    def without_token(self, text: str) -> str:
        """The text with anything that looks like a token replaced."""
        if self.settings.token:
            text = text.replace(self.settings.token, "***")
        return re.sub(r"xox[a-z]-[\w-]+", "***", text)


class _Scene:
    """What a fault sees of one request; the due reply is computed only if it asks."""

    def __init__(self, mock: Mock, request: Request) -> None:
        self._mock = mock
        self._request = request
        self._due: Reply | slack.Page | None = None
        self.now = time.time()
        self.retry_after = mock.settings.retry_after
        self.last_cursor = mock.cursors.last
        self.authorization = request.headers.get("authorization", "")
        self.cursor = slack.asked(request.query).get("cursor", "")

    def due(self) -> Reply:
        due = self._worked_out()
        return due.reply() if isinstance(due, slack.Page) else due

    def page(self) -> slack.Page | None:
        due = self._worked_out()
        return due if isinstance(due, slack.Page) else None

    def _worked_out(self) -> Reply | slack.Page:
        if self._due is None:
            self._due = self._work_out()
        return self._due

    def _work_out(self) -> Reply | slack.Page:
        wait = self._mock.limited(self.now)
        if wait:
            return slack.error("rate_limited", wait)
        try:
            return self._mock.page(self._request, self.now)
        except slack.RefusedError as refused:
            return slack.error(refused.code, detail=refused.detail)

    def fresh_cursor(self) -> str:
        """A new cursor of this request's position."""
        mock = self._mock
        key = slack.position(mock.cursors, self.cursor, mock.settings, self.now)
        return mock.cursors.make(key, self.now, fresh=True)

    @property
    def elsewhere(self) -> str:
        """This request's URL at another origin that reaches the same server."""
        scheme, _, rest = self._mock.url.partition("://")
        host, _, port = rest.rpartition(":")
        other = "127.0.0.1" if host == "localhost" else "localhost"
        query = f"?{self._request.query}" if self._request.query else ""
        return f"{scheme}://{other}:{port}{self._request.path}{query}"
