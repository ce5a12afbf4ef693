"""The staff desk: requests, deadlines, states. It shows no personal data."""
