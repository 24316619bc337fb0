"""What stops a start. The message says what happened and what to do; it is all the user sees."""


class SupervisorError(Exception):
    """The console cannot be started, or not kept running."""


class StopRequestedError(Exception):
    """A signal asked for the end while something was being prepared or waited for."""
