"""Reports on their way to the hub: signed, numbered, spooled on disk until they are acknowledged.

Reading order:

- ``merging``  pure: two windows of one bundle as one, and those that wait by their age
- ``numbered`` a window with a name of its own, so that it is taken once
- ``spool``    the SQLite database that holds what isn't acknowledged
- ``hub_key``  the hub's key, pinned: what it didn't sign lets nothing go
- ``sender``   over HTTP, in order, as often as it takes
- ``medium``   over a medium that somebody carries

Never imports onnxruntime or the server. Delivery is at least once; the numbers make it exactly once at the hub.
"""
