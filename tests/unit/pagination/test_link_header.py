"""Link headers, read as RFC 8288 writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.pagination import LAST, Answer, BadTokenError, More
from helr.pagination.link_header import LinkHeader, links

HERE = "https://api.example.com/v1/logs?limit=2"
NEXT = "https://api.example.com/v1/logs?after=x"


class Headers(dict[str, str]):
    """Several headers of a name, as urllib3 has them."""

    def __init__(self, *values: str) -> None:
        super().__init__({"Link": ", ".join(values)})
        self._values = list(values)

    def getlist(self, name: str) -> list[str]:
        return self._values if name == "Link" else []


def following(*headers: str, rel: str = "next") -> Any:
    return LinkHeader(rel).next(None, Answer({}, Headers(*headers), HERE, 2))


@pytest.mark.parametrize(
    "header",
    [
        f'<{NEXT}>; rel="next"',
        f"<{NEXT}>;rel=next",
        f"<{NEXT}> ; REL = NEXT",
        f'<{NEXT}>; rel="last next"',
        '</v1/logs?after=x>; rel="next"',
        '<?after=x>; rel="next"',
        f'</p>; rel="prev", <{NEXT}>; rel="next"',
        f'</p>; title="a, <b>; rel=next"; rel="prev", <{NEXT}>; rel="next"',
        f'</p>; title="say \\"hi\\", rel=next"; rel=prev, <{NEXT}>; rel=next',
        f'<{NEXT}>; title="a;b"; rel="next"; results="true"',
        f'</other>; rel="next"; anchor="/elsewhere", <{NEXT}>; rel="next"',
        f'<{NEXT}>; rel="next"; rel="prev"',
        f", ,<{NEXT}>; rel=next,",
    ],
)
def test_the_next_page_is_found(header: str) -> None:
    assert following(header) == More(NEXT)


def test_it_may_be_in_any_of_several_headers() -> None:
    assert following('</p>; rel="prev"', f'<{NEXT}>; rel="next"') == More(NEXT)


def test_a_mapping_without_several_values_will_do() -> None:
    answer = Answer({}, {"Link": f"<{NEXT}>; rel=next"}, HERE, 2)
    assert LinkHeader().next(None, answer) == More(NEXT)


@pytest.mark.parametrize(
    "header",
    [
        "",
        '</p>; rel="prev"',
        '</p>; rel="prev"; rel="next"',
        '</p>; rel="nextish"',
        '</p>; title="rel=next"',
        "rel=next",
        '</p>; rel="next"; anchor="/elsewhere"',
        "</p",
    ],
)
def test_the_last_page(header: str) -> None:
    assert following(header) == LAST


def test_another_relation() -> None:
    assert following(f'</p>; rel="next", <{NEXT}>; rel="older"', rel="Older") == More(NEXT)


def test_another_origin_is_refused() -> None:
    with pytest.raises(BadTokenError, match="different origin"):
        following('<https://evil.example.com/>; rel="next"')


@given(st.text('<>;,="\\ rel=nextab/', max_size=200))
def test_any_header_is_read_in_no_time(header: str) -> None:
    for address, parameters in links(header):
        assert "<" not in address
        assert all(name == name.lower() for name in parameters)
