"""A person's own code that a build runs.

- ``functions``  ``module:function``, or ``path/to/file.py:function``
- ``user_code``  what such a function consists of, read off its files before any of it is imported
"""
