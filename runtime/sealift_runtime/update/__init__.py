"""The persisted transition table."""
