"""Counters, bins, drift."""
