"""``sealift_packager.pack``, the packager for Python programs: ``pack``, and ``model`` (a live model, written to a file that a loader reads)."""
