"""The service verifies its own log, all of it, at an interval."""
