"""The field policy: why each field is held, on what basis, for how long, and how each purpose sees it."""
