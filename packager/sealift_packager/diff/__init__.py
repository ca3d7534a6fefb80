"""In which file and field two bundles, or two releases, differ.

Reading order: ``difference`` (the value), ``documents`` (JSON by path), ``tensors`` (golden cases, weights: which, and how much),
``graphs`` (model.onnx), ``bundles`` (the files of two bundles, each compared as what it is).

Nothing is verified here: see `artifact.verify`. But nothing outside of what is compared is read, and nothing without a bound. Never imports ``pack``.
"""
