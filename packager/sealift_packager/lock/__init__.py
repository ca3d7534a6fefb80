"""sealift.lock: what was measured, so that a build can be repeated bit by bit.

Reading order: ``measurement_log`` (measured once and written down, or taken from a lock), ``lockfile`` (the file, and whether it fits a build).
Computed results aren't in it: they follow from source, data, profile, seed and tools.
"""
