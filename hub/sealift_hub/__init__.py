"""Sealift's hub: serves the repository, takes the signed reports of a fleet, and shows them.

Reading order:

- ``errors``, ``limits``, ``answers``  what can go wrong, how much is taken from outside, how JSON is answered
- ``configuration`` hub.toml: how many devices may enrol, and how long what they report is kept
- ``storage``     the database and its migrations
- ``fleet``       what can be asked about the fleet
- ``ingest``      may this report join its device's chain? Then it is kept, in one transaction
- ``repository``  the vendor's files, served as they are
- ``dashboard``   the pages
- ``api``         the HTTP side that puts these together
- ``cli``         the command ``sealift-hub``

A package imports only packages before it (``api`` renders its errors with ``dashboard``; ``cli`` is last). The hub stands on `sealift_core`, and
on neither the packager nor the runtime.

Trust:

1. A device's id is the fingerprint of its public key, so enrolment is self-certifying: nobody can take another's id, and
   enrolling twice changes nothing. Anyone who reaches the hub can enrol a key of their own, up to `limits.Limits.devices`;
   a new device is shown first on the fleet page, for a person to know or not to know.
2. A report counts only if the device's key signed it and it continues the device's chain. So a report can be dropped or
   delayed on its way, which shows as a gap, but not forged, changed, reordered or replayed. Reports under one key that
   contradict each other (the key was copied, or a disk was restored) show as a conflict, and the first report stands,
   until an operator has the device taken up again, which is recorded and shown.
3. The hub signs its receipts with a key of its own, which devices pin: only they let a device drop a report.
4. The hub vouches for nothing that devices run: the repository's files are signed by the vendor, and devices check that.
   A hub that was broken into can withhold, and can show false pages; it can't make a device run anything.
5. There is no login yet. Reading is open to whoever reaches the address, which is 127.0.0.1 unless told otherwise; for
   more, put a proxy with TLS and a login in front.
"""

import sealift_core  # noqa: F401  (before all else: it prepares the environment that other libraries are imported in)

__version__ = "0.1.0"
