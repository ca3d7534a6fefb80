"""Content-addressed blobs and materialized bundles on this device's disk.

Reading order:

- ``space``         is there room, with a reserve kept free
- ``download``      one blob, resumed where it stopped, bounded, checked, durable
- ``device_store``  all of it: the OCI layout, the bundle directories, garbage collection

Never imports trust or update: what is to be fetched is said by descriptors, where from by a transport.
"""
