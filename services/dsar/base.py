"""The metadata that all of dsar's tables share, kernel tables included."""

from shared.db import make_base

Base = make_base()
