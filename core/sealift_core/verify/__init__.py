"""The proof of a bundle, before anything of it is used.

Reading order:

- ``protobuf``    a bounded walk over a message's wire format
- ``onnx_messages``  the messages of an ONNX file, for that walk
- ``operators``   which operators a graph may use
- ``graph``       a graph can only compute: checked before onnxruntime sees it
- ``check``       `check_bundle`: the one way to prove that a bundle is what was signed, to the last byte
- ``materialize`` from blobs to a directory that was proven
"""
