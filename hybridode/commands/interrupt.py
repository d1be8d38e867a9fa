"""Ctrl-C while a fit runs: the first ends the search and keeps what it found, the second leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))
LEFT = 130  # the exit code of a command that was interrupted
SAID = {  # what is being done -> what the first Ctrl-C is answered with
    "searching": "interrupted: the best so far is kept and written down; Ctrl-C again leaves at once",
    "sampling": "interrupted: the draws so far are kept and written down; Ctrl-C again leaves at once",
    "finishing": "the results are being written; Ctrl-C again leaves without them",
}


class Interruption:
    """A context manager. `asked`: Ctrl-C (or a TERM signal) came. `phase()` says what the fit is doing; before there is
    anything to keep, an interruption is an ordinary KeyboardInterrupt."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self.phase: Callable[[], str] = lambda: "preparing"
        self._say = say
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            self._before = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the cursor, which the live table hides
            os._exit(LEFT)
        self.asked = True
        said = SAID.get(self.phase())
        if said is None:
            raise KeyboardInterrupt
        self._say(said)
