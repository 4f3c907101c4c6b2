"""The tie between a process and the children it starts: a pipe.

The parent holds one end, each child has the other as its standard input and reads it. However the
parent ends, be it by `kill -9`, the kernel closes its end; the child sees that and ends too, and
frees the port it listens on.
"""

from __future__ import annotations

import os
import signal
import threading


def end_with_parent() -> None:
    """To be called first by a child: it gets a SIGTERM when its parent is gone."""

    def watch() -> None:
        # Not through sys.stdin: a process forked meanwhile would inherit its lock, taken.
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
