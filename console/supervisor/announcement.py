"""What is said on the terminal once the console answers."""

import sys
from datetime import UTC, datetime, timedelta

from console.supervisor import gateway, softhsm
from console.supervisor.commands import Run
from console.supervisor.preparation import FIRST_PASSWORD_LIVES_S


def announce(run: Run) -> None:
    """Print the address, and the first password or where it lies: secrets go to a terminal only."""
    print(f"Keystead is running at {run.address}", flush=True)
    for line in first_password(run, show=sys.stdout.isatty()):
        print(line)
    if softhsm.configuration(run.state).exists():
        print(
            f"A SoftHSM2 token to try: {softhsm.LABEL} of {softhsm.module()}; its PIN is in "
            f"{run.state.secrets / 'softhsm-pin'}"
        )
    if found := gateway.connection(run.state):
        print(
            f"An HSM gateway serves it at {found['address']} port {found['port']}, slot {found['slot']}; "
            f"the CA of its certificate is {found['ca_file']}"
        )
    print(
        f"Clients enrol at https://localhost:{run.ports['listener']} "
        "(python -m trust.agent --connect localhost …; docs/client-protocol.md)"
    )
    print(f"Logs are in {run.state.logs}. Ctrl-C stops everything.", flush=True)


def first_password(run: Run, *, show: bool) -> tuple[str, ...]:
    """Return the lines about the first sign-in; none once its file is gone."""
    try:
        password = run.state.first_password.read_text(encoding="utf-8").strip()
        written = datetime.fromtimestamp(run.state.first_password.stat().st_mtime, tz=UTC)
    except FileNotFoundError:
        return ()
    until = (written + timedelta(seconds=FIRST_PASSWORD_LIVES_S)).strftime("%d %b %Y, %H:%M UTC")
    where = password if show else f"in {run.state.first_password}"
    return (f"First sign-in: user admin, password {where} (works once, until {until})",)
