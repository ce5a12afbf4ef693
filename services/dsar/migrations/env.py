"""Alembic's way in; everything is in the kernel."""

from shared.migrations import run_env

run_env()
