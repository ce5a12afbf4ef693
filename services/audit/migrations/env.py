"""Alembic runs this; everything is in shared/migrations.py."""

from shared.migrations import run_env

run_env()
