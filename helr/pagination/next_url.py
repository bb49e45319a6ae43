"""`strategy: next_url`: a page's body or a header contains the address of the next one.

The address may be relative to the page's own. One with another origin is refused, as the
credentials would be sent there.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urljoin, urlsplit

from helr.credentials import is_secret_name
from helr.messages import Request
from helr.model import Pagination
from helr.pagination import LAST, Answer, BadTokenError, More, Next, token_in
from helr.urls import origin, safe_url


class NextUrl:
    state_key = "next_url"
    event_paths = ()

    def __init__(
        self, next_url_path: str | None = None, next_url_header: str | None = None
    ) -> None:
        self.body_paths = (next_url_path,) if next_url_path else ()
        self._header = next_url_header or ""

    def next(self, token: str | None, answer: Answer) -> Next:
        where, found = "pagination.next_url_header", answer.headers.get(self._header)
        if self.body_paths:
            where, found = "pagination.next_url_path", answer.values.get(self.body_paths[0])
        address = token_in(found, "the next address", where)
        return LAST if address is None else More(resolved(answer.url, address, where))

    def apply(self, request: Request, token: str | None) -> Request:
        return request if token is None else addressed(request, token)


def open(options: Pagination) -> NextUrl:  # noqa: A001
    return NextUrl(**options.options)


def resolved(base: str, address: str, where: str) -> str:
    """The absolute address of the next page, without the credentials of the request, since it is
    saved in the state. `where`: the key of the config with its path.

    Raises BadTokenError if it is not an address, or has another origin.
    """
    try:
        whole = _bare(urljoin(base, address.strip()))
        same = origin(whole) == origin(base)
    except ValueError:
        raise BadTokenError("the next address is not a URL", f"check {where}") from None
    if not same:
        raise BadTokenError(
            f"the next address, {safe_url(whole)}, has a different origin and was not followed, "
            "because the credentials would be sent there",
            f"check {where}, or put the correct origin into `url`",
        )
    return _without_credentials(whole, base)


def addressed(request: Request, token: str) -> Request:
    """The request for an address that contains all parameters except the credentials.

    Its query is not parsed and encoded again, as that could change a token in it. Raises
    BadTokenError if it has another origin, as `url` may have changed since it was saved.
    """
    try:
        same = origin(token) == origin(request.url)
    except ValueError:
        same = False
    if not same:
        raise BadTokenError(
            f"the saved next address, {safe_url(token)}, does not have the origin of `url`",
            "run `helr state reset` for this source",
        )
    there = {name.lower() for name, _ in _pairs(token)}
    params = tuple(
        (name, value)
        for name, value in request.params
        if is_secret_name(name) and name.lower() not in there
    )
    return Request(token, params, request.headers, token)


def _bare(url: str) -> str:
    """A URL as requested: without user, password and fragment."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()


def _without_credentials(address: str, asked: str) -> str:
    sent = {_folded(pair) for pair in _pairs(asked) if is_secret_name(pair[0])}
    if not sent:
        return address
    before, _, query = address.partition("?")
    kept = [
        part
        for part in query.split("&")
        if part and not sent & {_folded(pair) for pair in _pairs(f"?{part}")}
    ]
    return f"{before}?{'&'.join(kept)}" if kept else before


def _folded(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[0].lower(), pair[1]


def _pairs(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)
