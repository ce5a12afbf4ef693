"""The public page: ask, prove the address with a one-time code, see, take away, be forgotten. No script, no account."""
