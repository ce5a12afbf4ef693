"""Customer records: who may see which, how much of them, and that every look is told."""
