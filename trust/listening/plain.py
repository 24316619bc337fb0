"""The listener without TLS: a small process that opens the port while a flag allows it, and closes it otherwise.

    python -m trust.listening.plain

The port is open only while a client may register without TLS: `require_client_tls_315_flag` = 0, or
`enable_protocol_314_flag` = 1 with `require_client_tls_314_flag` = 0. A change is followed within seconds. What serves
is a gunicorn of its own, which this process starts and stops; it holds no port itself, and neither holds a key.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable

import django
from django.db import Error as DatabaseError
from django.db import close_old_connections

from console.supervisor.signals import Signals

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
STOP_WITHIN_S = 15.0
# One that ends by itself, because the port is taken for instance, is not started over and over.
PAUSE_S = 5.0
ARGV = (sys.executable, "-m", "gunicorn", "-c", "python:trust.listening.gunicorn_conf", "console.listener_wsgi")


class Watcher:
    """Starts and stops the process that listens, as `is_allowed` says. While nobody can say, it stays as it is."""

    def __init__(
        self,
        is_allowed: Callable[[], bool],
        start: Callable[[], "subprocess.Popen[bytes]"],
        *,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._is_allowed = is_allowed
        self._start = start
        self._pause_s = pause_s
        self._listening: subprocess.Popen[bytes] | None = None
        self._not_before = 0.0

    def look(self) -> None:
        """Bring about what the flags say."""
        if self._listening is not None and self._listening.poll() is not None:
            logger.error("The listener without TLS ended with status %s.", self._listening.returncode)
            self._listening = None
            self._not_before = time.monotonic() + self._pause_s
        try:
            allowed = self._is_allowed()
        except DatabaseError as error:
            logger.warning("The settings cannot be read, so nothing changes: %s", error)
            return
        if allowed and self._listening is None and time.monotonic() >= self._not_before:
            logger.info("A flag allows registration without TLS: the port is opened.")
            self._listening = self._start()
        elif not allowed and self._listening is not None:
            logger.info("No flag allows registration without TLS any more: the port is closed.")
            self.stop()

    def stop(self) -> None:
        """Close the port, after the requests that are under way."""
        if self._listening is None:
            return
        self._listening.terminate()
        try:
            self._listening.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._listening.kill()
            self._listening.wait()
        self._listening = None


def main() -> int:
    """Watch until a signal asks for the end, or whoever started this process is gone."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "console.listener_settings"
    os.environ |= {"KEYSTEAD_LISTENER_TLS": "0", "KEYSTEAD_LISTENER_URLS": "console.plain_listener_urls"}
    django.setup()
    watch(Watcher(is_allowed, lambda: subprocess.Popen(ARGV, stdin=subprocess.DEVNULL)))
    return 0


def watch(watcher: Watcher) -> None:
    """Look every few seconds, until the end.

    A signal is heard between two looks: one that came in the middle of a start would leave behind what was started.
    """
    parent = os.getppid()
    with Signals() as signals:
        try:
            while os.getppid() == parent and not signals.stop_requested:
                watcher.look()
                signals.pause(LOOK_EVERY_S)
        finally:
            watcher.stop()


def is_allowed() -> bool:
    """Ask the settings; raises what the database raises."""
    from trust.listening import flags

    close_old_connections()
    return flags.read().plain_allowed


if __name__ == "__main__":
    sys.exit(main())
