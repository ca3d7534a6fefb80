"""Hardware profiles: the ones that ship with the packager, and a person's own.

Reading order:

- ``library``  where profiles are, by name or by path
- ``rules``    what a profile has to make sense, beyond its schema

The schema itself is `sealift_core.hardware.profile`, the match with a machine `sealift_core.hardware`. Never imports
onnxruntime, onnx, click, or another package of the packager but ``errors``.
"""
