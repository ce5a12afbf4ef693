"""What a person asked for, and until when it must be answered."""
