"""Models and data that are in memory, written to files as the pipeline takes them.

Reading order: ``data``, ``functions`` (data that a function named on the command line gives), ``model``.

A file has a digest, so a release packed from memory can be traced like any other. Frameworks are imported only where an object is theirs.
"""
