"""The faults that the whole package speaks of."""


class UserError(ValueError):
    """A mistake that the user can mend: one line that names the thing and the fix.

    The command line prints it without a traceback and exits with 2.
    """


class MachineError(RuntimeError):
    """The machine failed and not the input: no memory, too many open files, a disk that is gone.

    It was tried again before. The command line prints it without a traceback and exits with 1; no
    image is ever counted as unreadable because of it.
    """


class BadImageError(Exception):
    """One image that cannot be read: it is skipped, named and counted, never fatal by itself.

    Attributes:
        name: The image's name inside its source (a path, or a member of an archive).
        reason: Why, in a few words.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadImageError"], tuple[str, str]]:
        """Both arguments cross to another process."""
        return BadImageError, (self.name, self.reason)


def in_one_line(error: BaseException) -> str:
    """Another library's message without ends of lines; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
