"""HashiCorp's grove, as its own `grove` command runs it, pointed at another Slack.

grove has Slack's address as a constant in its code and no setting for it; that constant is all
that is changed here. It runs with the Python of the venv that `make bench-peers` installs it into.
"""

import sys

from grove.connectors.slack import api
from grove.entrypoints import local_process

api.API_BASE_URI = sys.argv[1]
local_process.entrypoint()
