"""Sign-in, account and approvals, for people."""
