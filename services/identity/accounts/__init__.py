"""Staff accounts: who they are, sealed, and whom they report to."""
