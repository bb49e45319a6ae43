"""The people and things in the events: an organization generated from a seed.

Everything here is already JSON text, so that an event is put together without encoding it.
Strings keep what real ones hold: emoji raw and escaped, quotes, backslashes, other scripts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

_FIRST = "Ada Zoë Björn Chidi 王 Дарья Emeka Fatima Grace Hiro Ines João Kwame Lena Mira Noor"
_LAST = "Lovelace O'Hara Núñez 小明 Okafor Иванова Hopper Tanaka Sørensen van-Dyk Silva Ünal"
_FILES = [
    "Q3 plan.xlsx",
    'the "final" draft.docx',
    "naïve café.pdf",
    "party 🎉.png",
    "C:\\temp\\dump.log",
    "日本語の資料.pptx",
    "tab\tand\u2028separator.txt",
    "invoices/2024/03.csv",
]
_CHANNELS = "general random incidents hr-private legal 🚀-launch design dev_ops año-nuevo 雑談"
_APPS = ['Jira "Cloud"', "Google Drive", "Zoom", "PagerDuty", "DLP Bot 🤖", "Workflow Builder"]
_AGENTS = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Slack/4.38.115 Chrome/124.0.6367.49 Electron/30.0.1 Safari/537.36 Sonic Slack_SSB/4.38.115",
    "com.tinyspeck.chatlyio/24.04.20 (iPhone; iOS 17.4.1; Scale/3.00)",
    "Slack/24.04.20.0 (Google Pixel 8; Android 14)",
    "python-requests/2.31.0",
    "",
]


@dataclass(frozen=True, slots=True)
class Thing:
    """One entity: its id (what the `entity` filter compares) and its JSON text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class People:
    """Everything that events refer to. `entities` is by entity type."""

    users: list[Thing]
    locations: list[Thing]
    agents: list[str]
    contexts_app: list[str]
    entities: dict[str, list[Thing]]


def slack_json(value: object, ascii_only: bool = False) -> str:
    """Compact JSON with slashes escaped, as Slack writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    return text.replace("/", "\\/")


def _id(rng: random.Random, prefix: str) -> str:
    return prefix + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", k=9))


def _thing(kind: str, body: Mapping[str, object], shown_id: str, ascii_only: bool) -> Thing:
    return Thing(shown_id, slack_json({"type": kind, kind: body}, ascii_only))


def _users(rng: random.Random, count: int) -> list[Thing]:
    users = []
    for number in range(count):
        user = _id(rng, "W" if number % 3 else "U")
        name = f"{rng.choice(_FIRST.split())} {rng.choice(_LAST.split())}"
        body = {"id": user, "name": name, "email": f"user{number}@example.com"}
        users.append(_thing("user", body, user, ascii_only=number % 4 == 0))
    # Slack's placeholder for events without an actor.
    body = {"id": "USLACKUSER", "name": "Slack", "email": ""}
    users.append(_thing("user", body, "USLACKUSER", ascii_only=False))
    return users


def _bodies(
    rng: random.Random, users: list[Thing], team: str
) -> dict[str, list[dict[str, object]]]:
    """Entity type -> bodies; each has an `id` except messages."""
    channels: list[dict[str, object]] = [
        {
            "id": _id(rng, "C"),
            "privacy": rng.choice(["public", "private"]),
            "name": f"{rng.choice(_CHANNELS.split())}-{n}",
            "is_shared": n % 7 == 0,
            "is_org_shared": n % 5 == 0,
            "teams_shared_with": [team] if n % 7 == 0 else [],
        }
        for n in range(120)
    ]
    files: list[dict[str, object]] = []
    for n in range(300):
        name = _FILES[n % len(_FILES)]
        kind = name.rsplit(".", 1)[-1]
        files.append(
            {"id": _id(rng, "F"), "name": name, "filetype": kind, "title": f"{name} ({n})"}
        )
    apps: list[dict[str, object]] = [
        {
            "id": _id(rng, "A"),
            "name": name,
            "is_distributed": n % 2 == 0,
            "is_directory_approved": n % 3 == 0,
            "is_workflow_app": name.startswith("Workflow"),
            "scopes": ["channels:read", "files:read", "users:read.email"][: n % 4],
        }
        for n, name in enumerate(_APPS * 4)
    ]
    people = [user.id for user in users]
    return {
        "channel": channels,
        "file": files,
        "app": apps,
        "workflow": [{"id": _id(rng, "Wf"), "name": f"Onboarding {n} ✅"} for n in range(12)],
        "message": [
            {"team": team, "channel": channels[n]["id"], "timestamp": f"17100{n:05}.000{n:03}"}
            for n in range(60)
        ],
        "usergroup": [{"id": _id(rng, "S"), "name": f"group \\ {n}"} for n in range(12)],
        "role": [{"id": _id(rng, "Rl"), "name": "Channels admin", "type": "system"}],
        "barrier": [
            {
                "id": _id(rng, "B"),
                "primary_usergroup": _id(rng, "S"),
                "barriered_from_usergroups": [_id(rng, "S"), _id(rng, "S")],
                "restricted_subjects": ["im", "mpim", "call"],
            }
            for _ in range(4)
        ],
        "huddle": [
            {
                "id": _id(rng, "R"),
                "date_start": 1710000000 + n,
                "date_end": 1710003600 + n,
                "participants": rng.sample(people, 3),
            }
            for n in range(20)
        ],
    }


def make_people(seed: int) -> People:
    """The organization of that seed; the same seed always gives the same one."""
    rng = random.Random(f"helr mock {seed}")
    users = _users(rng, 200)
    teams: list[dict[str, object]] = [
        {"id": _id(rng, "T"), "name": f"Birdland {n} / «north»", "domain": f"birdland-{n}"}
        for n in range(5)
    ]
    org: dict[str, object] = {"id": _id(rng, "E"), "name": "Birdland Inc.", "domain": "birdland"}
    bodies = _bodies(rng, users, str(teams[0]["id"]))
    bodies["workspace"] = teams
    bodies["enterprise"] = [org]
    entities = {
        kind: [
            _thing(kind, body, str(body.get("id", body.get("channel"))), ascii_only=n % 4 == 0)
            for n, body in enumerate(things)
        ]
        for kind, things in bodies.items()
    }
    entities["user"] = users
    locations = [Thing(str(org["id"]), slack_json({"type": "enterprise", **org}))]
    locations += [Thing(str(t["id"]), slack_json({"type": "workspace", **t})) for t in teams]
    apps = [slack_json(app) for app in bodies["app"][:6]]
    return People(users, locations, [slack_json(agent) for agent in _AGENTS], apps, entities)
