#!/bin/sh
# Collects the mock's events once, with a temporary state, so that every demo shows them all.
# `make demo` runs it; it leaves a running mock alone. MOCK_PORT selects the mock's port.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
PATH="$root/.venv/bin:$PATH"
export MOCK_PORT="${MOCK_PORT:-8787}"
export SLACK_AUDIT_URL="http://127.0.0.1:$MOCK_PORT/audit/v1/logs"
dir=$(mktemp -d)
started=
finish() {
    [ -z "$started" ] || python "$root/tools/mock.py" stop >/dev/null
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

[ -n "$(python "$root/tools/mock.py" status)" ] || started=yes
echo "\$ make mock"
python "$root/tools/mock.py" start
echo "\$ helr run --once"
export SLACK_TOKEN_FILE="$root/mock_server/token"
(cd "$dir" && helr run --once -c "$root/helr.yaml" >events.ndjson)
head -n 3 "$dir/events.ndjson"
echo "…"
echo "$(wc -l <"$dir/events.ndjson" | tr -d ' ') events, one per line; the first three are above."
next=". .venv/bin/activate && make mock"
[ "$MOCK_PORT" = 8787 ] || next="$next MOCK_PORT=$MOCK_PORT && export SLACK_AUDIT_URL=$SLACK_AUDIT_URL"
echo "Next: $next && helr run --once"
