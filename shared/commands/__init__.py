"""What the kernel brings to `kept`, alike for every service; deploy/groups.py lists it."""
