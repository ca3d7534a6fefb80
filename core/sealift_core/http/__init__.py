"""Talking HTTP with care.

Reading order:

- ``urls``         addresses that a person configures: checked, and shown without secrets
- ``hosts``        the names that a server answers under
- ``http_session`` a session with one server: no redirect elsewhere, no password to a stranger, a limit on time
"""
