"""The pages of backup, for staff."""
