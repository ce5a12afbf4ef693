"""Restore: bring a set back without bringing anybody back."""
