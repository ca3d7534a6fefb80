"""Talking HTTP with care.

Reading order:

- ``urls``         addresses that a person configures: checked, and shown without secrets
- ``hosts``        the names that a server answers under
- ``failures``     why a connection failed, in words
- ``clockless``    certificates judged by the time that surely passed, where the clock is behind it
- ``http_session`` a session with one server: no redirect elsewhere, no password to a stranger, a limit on time
"""
