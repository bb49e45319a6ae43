"""HashiCorp's grove, as its own `grove` command runs it, with another address for Slack.

Slack's address is a constant in its code, without a setting; this only changes that constant.
It runs with the Python of the venv that `make bench-peers` installs it into.
"""

import sys

from grove.connectors.slack import api
from grove.entrypoints import local_process

api.API_BASE_URI = sys.argv[1]
local_process.entrypoint()
