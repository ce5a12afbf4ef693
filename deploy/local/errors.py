"""What can go wrong while starting or stopping: one line for the person at the terminal, one exit code for scripts."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `kept up`, `down`, `status` and `demo`."""

    OK = 0
    FAILED = 1
    # 2 is the usage error of the command line library
    NOT_RUNNING = 3
    NOT_READY = 4
    PORT_TAKEN = 5
    PROGRAM_MISSING = 6
    STATE_BROKEN = 7
    ALREADY_RUNNING = 8


class PlatformError(Exception):
    """Said in one line, without a traceback."""

    def __init__(self, line: str, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(line)
        self.line = line
        self.exit_code = exit_code


class NotYetError(Exception):
    """A part is not ready; the text says what it waits for."""
