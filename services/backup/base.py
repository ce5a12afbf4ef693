"""The metadata that all of backup's tables share, kernel tables included."""

from shared.db import make_base

Base = make_base()
