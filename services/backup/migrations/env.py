"""Alembic's entry: everything is in shared/migrations.py."""

from shared.migrations import run_env

run_env()
