"""What was written, opened again, and in which file and field two bundles, or two releases, differ.

Reading order: ``artifact`` (a release or a bundle: inspected, verified, unpacked), ``difference`` (the value), ``documents`` (JSON by path),
``tensors`` (golden cases, weights: which, and how much), ``graphs`` (model.onnx), ``bundles`` (the files of two bundles).

Comparing verifies nothing: see `artifact.verify`. But nothing outside of what is compared is read, and nothing without a bound.
"""
