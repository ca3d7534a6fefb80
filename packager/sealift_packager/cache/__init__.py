"""Stages of a build that are done once: a cache by content, so that a second run is quick and a broken one resumes.

Reading order:

- ``serialization``  values as bytes and back, by their types
- ``entry``      one result as bytes, with its own checksum
- ``place``      is a folder one's own alone?
- ``store``      a bounded directory of entries
- ``tools``      the tools whose versions decide what a build gives
- ``keys``       what an entry is found by
- ``stage``      compute, or take what was computed

An entry that is missing, damaged, from other code, or can't be read is a miss and nothing else. Never imports a framework.
"""
