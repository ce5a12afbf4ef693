"""The trail as people read it: search, export, alarms; pages, HTTP, the command line."""
