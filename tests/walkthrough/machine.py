"""`python -m tests.walkthrough.machine HOURS ARGS…`: the client on a machine whose clock is that many hours ahead."""

import sys
from datetime import timedelta
from functools import partial

from trust.agent import command
from trust.agent.agent import Agent, utc_now

if __name__ == "__main__":
    ahead = timedelta(hours=float(sys.argv[1]))
    vars(command)["Agent"] = partial(Agent, clock=lambda: utc_now() + ahead)
    sys.exit(command.main(sys.argv[2:]))
