"""TUF metadata in, a verdict out: which releases and channels a repository vouches for. Pure; time is an argument.

A client workflow of our own on ``tuf.api.metadata``, because a device may have no clock, and its metadata comes over any
transport. Source: https://theupdateframework.github.io/specification/latest/ (section 5, the client workflow).

Reading order:

- ``state``     what is remembered between refreshes: verified bytes, version floors, time floors
- ``metadata``  one file parsed and its signatures checked; foreign errors become ours
- ``workflow``  the rules, numbered: root, timestamp, snapshot, targets, channels
- ``expiry``    what is expired, what is only stale
- ``targets``   what the verified metadata vouches for: releases, channels

Never imports transport or store, opens no file, asks no clock. The shell around it is ``update.refresh``.
"""
