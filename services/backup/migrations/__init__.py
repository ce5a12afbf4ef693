"""backup's database, step by step: expand first, contract later."""
