"""The revisions of the kernel's tables, which every service's database has beside its own."""
