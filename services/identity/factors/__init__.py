"""The second factor: time-based one-time codes."""
