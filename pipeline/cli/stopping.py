"""How a long command is asked to end."""

import signal
from collections.abc import Callable


def asked_to_stop() -> Callable[[], bool]:
    """Return what tells whether SIGTERM or SIGINT came since this call; neither ends the process by itself any more."""
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return lambda: stopped
