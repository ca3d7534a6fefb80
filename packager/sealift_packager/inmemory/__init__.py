"""Models and data that are in memory, written to files as the pipeline takes them: ``data`` and ``model``.

A file has a digest, so a release packed from memory can be traced like any other. Frameworks are imported only where an object is theirs.
"""
