"""The obvious loop with slack_sdk: every audit event as a line of JSON. Usage: URL LIMIT."""

from __future__ import annotations

import json
import os
import sys

from slack_sdk.audit_logs import AuditLogsClient

client = AuditLogsClient(token=os.environ["SLACK_AUDIT_TOKEN"], base_url=sys.argv[1])
cursor = None
while True:
    page = client.logs(limit=int(sys.argv[2]), cursor=cursor).body or {}
    for event in page["entries"]:
        print(json.dumps(event))
    cursor = page.get("response_metadata", {}).get("next_cursor")
    if not cursor:
        break
