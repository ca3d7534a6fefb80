"""A build in a process of its own: an unknown model is read and run there, and the signing key is never there.

Reading order:

- ``files``     what a build may read: the model's own files, the data, the code of a metric
- ``frames``    messages between the two processes: a line of JSON, and raw bytes
- ``page``      what the model is doing and until when, in memory that both see (see `sealift_packager.activity`)
- ``failures``  errors as messages and back
- ``worker``    the process's own side, which runs `sealift_packager.pipeline`
- ``remote``    what the worker asks of the process that started it: to measure in a fresh process, to emulate, to reach a device, to cache
- ``services``  how that process does it
- ``process``   the worker started, listened to, and ended: at a deadline, with a clear error
- ``build``     a build by a worker, as `sealift_packager.sealing` wants it

The walls are `sealift_core.process`'s. Where a person's own code is to run (``--trust-pickle``, ``--factory``, a function that gives the data)
there are none, for that code may need anything; it runs in a process without the key all the same. Whoever starts a worker imports neither onnx nor
a framework; only ``worker`` does, and only behind the walls.
"""
