"""Signs in a response that there are more pages, wherever a vendor puts them.

Checked only at the end of a chain, when the configured paths found no next page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from helr.log import excerpt

_DEEP = 4
_MOST = 6  # signs to report
_LARGEST = 4096  # bytes of a value that can be a token or a count
# names without case and punctuation
_TOKENS = (
    *("endcursor", "continuationtoken", "continuation", "pagetoken", "scrollid", "searchafter"),
    *("lastevaluatedkey", "odatanextlink"),
)
_NO_TOKENS = ("poll", "run", "update", "sync", "refresh", "retry", "check", "scheduled", "reset")
_YES = (
    *("hasmore", "hasnext", "hasnextpage", "hasmorepages", "hasmoreitems", "more", "moreresults"),
    *("moreavailable", "moredata", "istruncated", "truncated"),
)
_NO = ("islast", "islastpage", "lastpage", "last", "done")
_PAGING = ("paging", "pagination", "pageinfo", "page", "cursors", "resultinfo", "searchmetadata")
_INSIDE = ("after", "cursor", "offset")  # signs in an object of such a name; never at offset 0
_TOTALS = ("total", "totalcount", "totalresults", "totalrecords", "totalitems", "totalhits")
_PAGES = ("totalpages", "pagecount", "pages", "lastpage")
_LINKS = ("links", "link")
_RELATIONS = ("rel", "relation", "name", "type")
_EMPTY = (b"null", b"false", b'""', b"0", b"[]", b"{}", b'"null"', b'"0"', b"-1")
_TRUE = (b"true", b'"true"', b"1", b'"1"', b'"yes"')
_FALSE = (b"false", b'"false"')


def next_signs(
    body: Any, headers: Mapping[str, str], events: int, *, first: bool = True
) -> list[str]:
    """Where a response with that many events says that there are more: paths in its body, headers.

    `body`: its bytes, or the decoded body if msgspec cannot read it.
    `first`: whether it is the first page of a chain, whose events can be compared with a total.
    """
    found = list(_in_headers(headers))
    if isinstance(body, (dict, list)):
        body = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    if body[:1] == b"{":
        found += _signs(bytes(body), "", "", _DEEP, events if first else 0)
    return found[:_MOST]


def _in_headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        bare = _bare(name).removeprefix("x")
        if bare == "link" and "next" in _relations(value):
            yield "a Link header with rel=next"
        elif _is_token(bare, value) or (bare in _YES and value.strip().lower() in ("true", "1")):
            yield f"a header {excerpt(name, 80)}"


def _is_token(name: str, value: str) -> bool:
    if not name.startswith("next") or name.startswith("nextjs"):
        return False
    says_nothing = value.strip().lower() in ("", "0", "null", "none", "false")
    return not says_nothing and not any(word in name for word in _NO_TOKENS)


def _relations(link: str) -> set[str]:
    parts = (part.strip().lower() for part in link.replace(",", ";").split(";"))
    rels = (part.partition("=")[2].strip(" '\"") for part in parts if part.startswith("rel"))
    return {word for rel in rels for word in rel.split()}


def _bare(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _signs(raw: bytes, path: str, inside: str, depth: int, events: int) -> Iterator[str]:
    """`inside`: the name of the object in `raw`."""
    for key, part in _decoded(raw, dict[str, msgspec.Raw], {}).items():
        value, name, where = bytes(part), _bare(key), f"{path}{key}"
        if _says_more(name, value, inside, events):
            yield excerpt(where, 80)
        elif value[:1] == b"{" and depth > 1:
            outer = inside if inside.startswith("next") else name
            yield from _signs(value, f"{where}.", outer, depth - 1, events)
        elif name in _LINKS and value[:1] == b"[" and _leads_on(value):
            yield f"{excerpt(where, 80)} with rel: next"


def _says_more(name: str, value: bytes, inside: str, events: int) -> bool:
    """Whether a member of an object is a sign. `value`: its JSON."""
    if name in _YES:
        return value in _TRUE
    if name in _NO and value in _FALSE:
        return True
    if events and name in _TOTALS:
        return value.isdigit() and len(value) < 19 and int(value) > events
    if events and name in _PAGES:
        return value.isdigit() and value not in (b"0", b"1")
    if value in _EMPTY or value[:1] == b"{" or len(value) > _LARGEST:
        return False
    if inside.startswith("next") and value[:1] == b'"':
        return True  # `"next": {"href": "…"}`
    if name.startswith("next") or name in _TOKENS:
        return not any(word in name for word in _NO_TOKENS)
    return inside in _PAGING and name in _INSIDE and value[:1] == b'"'


def _leads_on(raw: bytes) -> bool:
    """Whether an array of links, each with a relation, contains a link to the next page."""
    links = _decoded(raw, list[dict[str, Any]], [])
    return any(str(link.get(name)).lower() == "next" for link in links for name in _RELATIONS)


def _decoded(raw: bytes, kind: Any, otherwise: Any) -> Any:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return otherwise
