"""Records to entries, in processes of its own: what ingests, and who starts it."""
