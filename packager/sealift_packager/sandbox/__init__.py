"""Reading what may be hostile, in a process of its own.

Reading order:

- ``activity``  what the model is doing and until when, noted for another process
- ``page``      the memory that both processes see, where it is noted
- ``frames``    messages between the two processes: a line of JSON, and raw bytes
- ``failures``  errors as messages and back
- ``process``   a worker: started, listened to, and ended at a deadline, with a clear error
- ``log_records``  a worker's log, bounded, in the log of the process that started it
- ``outside``   what a process that may start no other one asks of the process that started it
- ``isolated_read``  a file is read once in a process that may break at it, before it is read here

The walls are `sealift_core.process`'s. Whoever starts a worker imports neither onnx nor a framework.
"""
