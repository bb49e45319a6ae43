"""What may be shown of a URL, and which parts of it are secrets."""

from __future__ import annotations

import pytest

from helr import secrets
from helr.urls import safe_url, user_info_secrets


def test_what_is_shown_of_a_url() -> None:
    url = "https://bob:planted@api.example.com:8443/v1/logs?limit=2&api_key=planted#planted"
    assert safe_url(url) == "https://api.example.com:8443/v1/logs"
    assert "planted" not in safe_url("http://bob:planted@[bad/x?y=planted")
    assert safe_url("http://intranet:8080/v1/users/a@b.com?x") == (
        "http://intranet:8080/v1/users/a@b.com"
    )


def test_a_server_cannot_make_secrets_with_its_urls() -> None:
    for number in range(100):
        safe_url(f"https://api.example.com:delivered{number}/x@h/")
    assert not secrets._known


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://api.example.com/x", set()),
        ("https://api.example.com:8443/users/a@b.com", set()),
        ("http://localhost:80/a@b", set()),
        ("https://bob:planted@h.example/x", {"planted"}),
        ("https://planted@h.example/x", {"planted"}),
        ("http://bob:pla%2Fnted@h/x", {"pla%2Fnted", "pla/nted"}),
        ("http://bob:plan#ted@h/x", {"plan#ted", "plan", "ted"}),
        ("http://bob:12/planted@127.0.0.1:1/x", {"12/planted", "12", "planted"}),
        ("bob:planted@h/x", {"planted"}),
        ("http://us:planted@[::1/x", {"planted"}),
        ("//us:planted@h", {"planted"}),
        ("http://a@b:planted@h", {"planted"}),
        ("http://b.ob:plan/ted@h/x", {"plan/ted", "plan", "ted"}),
        ("http://b.ob:plan?ted@h/x", {"plan?ted", "plan", "ted"}),
        ("http://bob@x.com:plan#ted@h/x", {"plan#ted", "plan", "ted"}),
        ("http://bob:planted@h:8443/users/a@b.com/x", {"planted"}),
        ("http://bob:pla@n?ted@h/x", {"pla@n?ted", "pla", "ted", "n"}),
        ("http://bob:pla@n&t/ed@h/x", {"pla@n&t/ed", "pla", "n&t", "ed"}),
        ("https://bob:planted@h.example/x?user=a@b.com", {"planted"}),
        ("http://intranet/v1/users/a@b.com", set()),
        ("http://intranet:8080/v1?user=a@b.com", set()),
    ],
)
def test_passwords_in_urls_good_and_bad(url: str, secrets: set[str]) -> None:
    assert set(user_info_secrets(url)) == secrets


def test_all_before_the_host_of_a_proxy_is_its_login() -> None:
    found = user_info_secrets("http://b.ob:12/plan#ted@proxy:3128", proxy=True)
    assert {"12/plan#ted", "plan", "ted"} <= set(found)
