"""From a chosen candidate to files.

Reading order: ``weights`` (graph and shards), ``bundle`` (one directory), ``release`` (the OCI layout), ``output`` (in place, whole).

Writes only inside directories that it is given.
"""
