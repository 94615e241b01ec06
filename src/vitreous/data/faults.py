"""The ledger of images that cannot be read: skipped, named, counted, and never hidden."""

import threading

from vitreous.errors import BadImageError, UserError


class Faults:
    """Collects unreadable images of one part, and stops the run over a limit.

    Args:
        total: Images in the part.
        limit: Share of unreadable images over which the run stops. One image never stops it, and
            a part without a single readable image always does.

    Raises:
        UserError: The limit is no share.
    """

    def __init__(self, total: int, limit: float = 0.01) -> None:
        if not 0 <= limit <= 1:  # nor NaN
            raise UserError(f"bad_limit is {limit}: give a share, from 0 to 1")
        self.reasons: dict[str, str] = {}
        self._most = max(1, int(total * limit))
        self._total, self._limit = total, limit
        self._lock = threading.Lock()

    def add(self, error: BadImageError) -> None:
        """Count one image; the same name counts once.

        Raises:
            UserError: The limit is passed, or no image is left; lists the first names.
        """
        with self._lock:
            self.reasons[error.name] = error.reason
            if len(self.reasons) > self._most or len(self.reasons) == self._total:
                listed = "; ".join(f"{n} ({r})" for n, r in list(self.reasons.items())[:10])
                raise UserError(
                    f"{len(self.reasons)} of {self._total} images cannot be read, over the limit "
                    f"of {self._limit:.0%}: repair them in place, or raise bad_limit (a run "
                    f"goes on with --resume): {listed}"
                )
