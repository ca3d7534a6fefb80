"""Signed, numbered, spooled."""
