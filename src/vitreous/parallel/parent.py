"""Processes that do not outlive the one that started them."""

import os
import signal
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Ask this process to stop when the one that started it is gone, however that ended."""
    parent = parent_process()
    assert parent is not None, "another process has started this one"

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
