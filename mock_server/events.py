"""Deterministic audit events: event number i of a seed is always the same, except for its time.

An event is its bytes, as Slack would spell them, made once; plus the few fields that the
API's filters compare. About 680 bytes each, with what makes collectors stumble mixed in:
nulls, empty addresses, raw and escaped emoji, numbers beyond 2^53, nested details.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from hashlib import blake2b

from mock_server.catalog import ACTIONS, CATEGORY_OF, COMMON
from mock_server.people import make_people, slack_json

MIN_TIME = 1519862400  # 1 March 2018: Slack has no audit events before it.

# Which entity types an action of that category acts upon.
_ENTITY_TYPES = {
    "workspace_or_org": ["workspace", "enterprise", "workspace"],
    "user": ["user"],
    "file": ["file"],
    "channel": ["channel"],
    "app": ["app"],
    "workflow_builder": ["workflow"],
    "message": ["message"],
    "barrier": ["barrier"],
    "huddle": ["huddle"],
    "anomaly": ["user"],
    "slack_cli": ["workspace"],
    "subteam": ["usergroup"],
    "role": ["role", "user"],
}

# Usual details, by category; others have none.
_DETAILS: dict[str, list[object]] = {
    "workspace_or_org": [
        {"new_value": {"type": "all", "duration_days": 365}, "previous_value": None},
        {"old_retention_policy": {"type": "none"}, "new_retention_policy": {"type": "days"}},
    ],
    "file": [{"url_private": "https://files.example.com/files-pri/T0-F0/download/x?y=1&z=2"}],
    "channel": [
        {"type": "desktop", "channels": ["C01", "C02"], "reason": 'asked for by "legal"'},
        {"who_can_post": {"type": ["org_admins"], "user": []}, "is_external_limited": False},
    ],
    "app": [
        {
            "scopes": ["chat:write", "files:read", "users:read"],
            "previous_scopes": [],
            "is_internal_integration": False,
            "app_owner_id": None,
        }
    ],
    "huddle": [{"duration": 3617, "channel_id": "C0HUDDLE00"}],
    "anomaly": [
        {
            "action_timestamp": 1710000000123456,
            "location": "Reykjavík, IS",
            "previous_ip_address": "",
            "reason": ["asn", "ip_address", "session_fingerprint"],
        }
    ],
}

# JSON text whose spelling a collector must not change; it goes under details.
_AWKWARD = [
    r'{"name":"raw 🎉 and escaped \ud83c\udf89","emoji":":tada:"}',
    r'{"id":9007199254740993,"big":18446744073709551616,"score":1.50,"tiny":1E-7}',
    r'{"path":"\/srv\/\"quoted\"\/a\\b","tab":"\t","nul":"\u0000","del":""}',
    r'{"ts":1521214343.123456789012345678,"zero":-0,"exp":6.02e+23}',
    r'{"nested":{"a":[{"b":[[],{},[null,true,false,{"c":{"d":"e"}}]]}]},"empty":{}}',
    r'{"separators":"\u2028\u2029","rtl":"שלום","zwj":"👩‍👩‍👧‍👦"}',
    r'{"reason":null,"channels":[],"permissions":[{"resource":null,"scopes":["a","b"]}]}',
    r'{"html":"<b>&amp;</b>","entries":[{"id":"no event"}],"next_cursor":"x","ok":false}',
]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its time in Unix seconds, its bytes, and what the filters compare."""

    time: int
    id: str
    raw: bytes
    action: str
    actor: str
    entity: str


class Generator:
    """Generates the events of one seed."""

    def __init__(self, seed: int) -> None:
        self._salt = f"{seed}:".encode()
        self._people = make_people(seed)
        every = [action for names in ACTIONS.values() for action in names]
        self._actions = every + COMMON * 30
        self._details = {
            category: [slack_json(value) for value in values]
            for category, values in _DETAILS.items()
        }

    def make(self, number: int, when: int) -> Event:
        """Event `number`, dated `when` (Unix seconds)."""
        digest = blake2b(self._salt + b"%d" % number, digest_size=32).hexdigest()
        dice = int(digest[32:], 16)
        people = self._people
        dice, pick = divmod(dice, len(self._actions))
        action = self._actions[pick]
        category = CATEGORY_OF[action]
        dice, pick = divmod(dice, len(people.users))
        actor = people.users[pick]
        kinds = _ENTITY_TYPES[category]
        kind = kinds[dice % len(kinds)]
        things = people.entities[kind]
        dice, pick = divmod(dice, len(things))
        entity = actor if kind == "user" and dice & 1 else things[pick]
        context, dice = self._context(dice)
        details = self._some_details(category, dice)
        event_id = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
        text = (
            f'{{"id":"{event_id}","date_create":{when},"action":"{action}",'
            f'"actor":{actor.text},"entity":{entity.text},"context":{context}{details}}}'
        )
        return Event(when, event_id, text.encode(), action, actor.id, entity.id)

    def _context(self, dice: int) -> tuple[str, int]:
        people = self._people
        dice, pick = divmod(dice, len(people.locations))
        location = people.locations[pick].text
        dice, pick = divmod(dice, len(people.agents) * 4 - 1)  # the empty one is rare
        agent = people.agents[pick % len(people.agents)]
        dice, pick = divmod(dice, 16)
        session = "null" if pick == 0 else f'"{847288190092 + dice % 10**12}"'
        if pick == 1:
            address = ""
        elif pick == 2:
            address = f"2001:db8::{dice & 0xFFFF:x}"
        else:
            address = f"203.0.{dice >> 8 & 255}.{dice & 255}"
        dice, pick = divmod(dice, 8)
        app = f',"app":{people.contexts_app[dice % len(people.contexts_app)]}' if pick == 0 else ""
        if pick == 1:
            app = ',"app":null'
        return (
            f'{{"location":{location},"ua":{agent},"session_id":{session},'
            f'"ip_address":"{address}"{app}}}',
            dice,
        )

    def _some_details(self, category: str, dice: int) -> str:
        dice, pick = divmod(dice, 12)
        if pick == 0:
            return f',"details":{_AWKWARD[dice % len(_AWKWARD)]}'
        usual = self._details.get(category)
        if not usual:
            return "" if pick != 1 else ',"details":null'
        return f',"details":{usual[dice % len(usual)]}'


def spread(seed: int, count: int, end: int) -> list[int]:
    """Times of `count` events, ascending, the last at `end`: lulls, busy seconds, bursts."""
    rng = random.Random(f"helr mock times {seed}")
    times, when, burst = [], end, 0
    for _ in range(count):
        times.append(max(when, MIN_TIME))
        if burst:
            burst -= 1
            continue
        draw = rng.random()
        if draw < 0.003:
            burst = rng.randrange(20, 60)
        elif draw > 0.97:
            when -= rng.randrange(5, 90)
        elif draw > 0.55:
            when -= rng.randrange(1, 4)
    times.reverse()
    return times


def given_event(text: bytes) -> Event:
    """An event handed in as JSON text, kept byte for byte.

    Raises ValueError when it is not an object with a whole number as `date_create`.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("an event is nested too deep to be read") from None
    if not isinstance(value, dict) or type(value.get("date_create")) is not int:
        raise ValueError("an event must be a JSON object with a whole number as date_create")
    entity = _dict(value.get("entity"))
    body = _dict(entity.get(str(entity.get("type"))))
    user = _dict(_dict(value.get("actor")).get("user"))
    return Event(
        value["date_create"],
        str(value.get("id", "")),
        text,
        str(value.get("action", "")),
        str(user.get("id", "")),
        str(body.get("id", body.get("channel", ""))),
    )


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
