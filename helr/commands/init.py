"""`helr init`: writes a commented helr.yaml for Slack, complete except for the token."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

from helr.errors import UnusableError
from helr.vendors import find

SLACK = "https://api.slack.com/audit/v1/logs"
DAYS = 30

_CONFIG = """\
# yaml-language-server: $schema={schema}
#
# Collects the audit log of a Slack Enterprise organization. See `helr help slack`.
#
# The token, in three steps:
#   1. Create an app at https://api.slack.com/apps?new_app=1, and under
#      "OAuth & Permissions" add the User Token Scope auditlogs:read.
#   2. Under "Manage Distribution" enable distribution, and open the shareable install URL
#      as the Owner of the Enterprise organization. Choose the organization itself in the
#      dropdown, not one of its workspaces.
#   3. Copy the User OAuth Token (it begins with xoxp-) and: export SLACK_AUDIT_TOKEN=xoxp-...
#
# Then: {helr} validate, {helr} test --source slack-audit, {helr} run

global:
  log_level: info # trace, debug, info, warn, error
  log_format: pretty # or json
  state:
    backend: sqlite
    path: ./helr-state.db # records what has been delivered; keep it
  output:
    settle_secs: ${{HELR_SETTLE_SECS:-0}} # how long the shipper needs to store what it has read

sources:
  slack-audit:
    url: {url}
    auth:
      type: bearer
      token_env: SLACK_AUDIT_TOKEN
      # token_file: /run/secrets/slack-token # overrides token_env; read before each request
    schedule:
      interval_secs: 300
      jitter_secs: 30
    headers:
      Accept: application/json

    query_params: # sent with every request
      limit: 1000 # events per page, at most 9999; Slack recommends 100 to 200
      # action: user_login,file_uploaded # only these actions, at most 30
      # actor: W123AB456 # only actions by this user
      # entity: C123AB456 # only actions on this object
    first_request_query_params:
      # Where to start, until the first chain of pages is finished: {date}, {days} days ago.
      # Choose it before the first run. Slack has no events before March 2018 (1519862400).
      oldest: {oldest}
    pagination:
      strategy: cursor
      cursor_param: cursor
      cursor_path: response_metadata.next_cursor
      max_pages: 25 # per poll; the next poll continues where this one stopped
    incremental_from: # after that, each chain starts at the newest event of the previous one
      state_key: oldest_ts
      event_timestamp_path: date_create
      param_name: oldest
      lookback_secs: 600 # start that much earlier, since some events appear minutes late
    dedupe: # drop events that are fetched a second time
      id_path: id
      capacity: 100000
    on_cursor_error: reset # if the cursor has expired, start again from the watermark
    max_line_bytes: ${{HELR_MAX_LINE_BYTES:-1000000}} # below the limit of the shipper
    max_line_bytes_behavior: truncate # cut a longer event to a smaller, valid line
    transform:
      timestamp_field: date_create
      id_field: id

    resilience:
      timeout_secs: 30
      timeouts:
        poll_tick_secs: ${{HELR_POLL_TICK_SECS:-}} # set by a shipper that kills slow runs
      retries:
        max_attempts: 5
        initial_backoff_secs: 2
        max_backoff_secs: 60
        multiplier: 2
      circuit_breaker:
        enabled: true
        failure_threshold: 5
        success_threshold: 2
        half_open_timeout_secs: 60
      rate_limit: # Slack allows {calls} calls a minute for the whole organization
        respect_headers: true
        page_delay_secs: 2
"""


def run(path: str) -> int:
    """Write the file and return 0. Raises UnusableError if it exists or cannot be written."""
    helr = "helr" if path == "helr.yaml" else f"helr -c {shlex.quote(path)}"
    try:
        with open(path, "x", encoding="utf-8", opener=_opener) as file:  # follows no link
            file.write(text(time.time(), helr))
    except FileExistsError:
        do = "name another with `-c FILE`"
        raise UnusableError("already exists and was not changed", where=path, do=do) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnusableError(f"cannot be written: {reason}", where=path) from None
    sys.stderr.write(
        f"wrote {path}; next: export SLACK_AUDIT_TOKEN=xoxp-... (the file explains how to get one),"
        f" {helr} validate, {helr} test --source slack-audit\n"
    )
    return 0


def _opener(path: str, flags: int) -> int:
    """No other user may change the config, regardless of the umask."""
    return os.open(path, flags, 0o644)


def text(now: float, helr: str = "helr") -> str:
    """The config as written at time `now` (Unix seconds). `helr`: the command to use it with."""
    oldest = (int(now) // 86400 - DAYS) * 86400
    vendor = find(SLACK) or {}
    return _CONFIG.format(
        helr=helr,
        schema=Path(__file__).parent.parent / "helr.schema.json",
        url=SLACK,
        oldest=oldest,
        date=time.strftime("%Y-%m-%d", time.gmtime(oldest)),
        days=DAYS,
        calls=vendor["calls_per_minute"],
    )
