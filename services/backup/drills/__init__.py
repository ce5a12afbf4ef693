"""Drills: a restore into a scratch place, checked and reported."""
