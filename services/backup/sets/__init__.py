"""Sets: take one, list them, verify one."""
