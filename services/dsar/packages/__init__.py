"""What is held on a person, as one file for that person."""
