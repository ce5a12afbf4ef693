"""Our modules compiled once, by whoever may write beside them: the users of the parts may not, and each of a dozen processes
would compile all of them at each start."""

import compileall

from deploy.local.state import REPOSITORY

SOURCES = ("services", "shared", "deploy", "examples")


def write() -> None:
    """What is compiled already is left as it is. Where nobody may write, everything works as before, and starts slower."""
    for source in SOURCES:
        compileall.compile_dir(REPOSITORY / source, quiet=2)
