"""Looks that are kept, the newest ones, within a limit of memory."""

from collections import OrderedDict
from threading import Lock

from vitreous.explorer.look import Look

Key = tuple[int, str]
"""Number of the subject, and of the image its digest."""


class Shelf:
    """The looks that were asked for last; safe from several threads at once.

    Args:
        most_bytes: Room for looks; the newest one is kept however large it is.
        most_looks: At most so many.
    """

    def __init__(self, most_bytes: int = 2**30, most_looks: int = 64) -> None:
        self.most_bytes, self.most_looks = most_bytes, most_looks
        self._looks: OrderedDict[Key, Look] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Look | None:
        """A look that is still there; it counts as the newest from here on."""
        with self._lock:
            if key in self._looks:
                self._looks.move_to_end(key)
            return self._looks.get(key)

    def put(self, key: Key, look: Look) -> None:
        """Keep a look, and let go of the oldest ones that it leaves no room for."""
        with self._lock:
            self._looks[key] = look
            self._looks.move_to_end(key)
            while len(self._looks) > 1 and self._is_full():
                self._looks.popitem(last=False)

    def __len__(self) -> int:
        return len(self._looks)

    def _is_full(self) -> bool:
        held = sum(look.nbytes for look in self._looks.values())
        return len(self._looks) > self.most_looks or held > self.most_bytes
