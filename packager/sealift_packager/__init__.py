"""Sealift's packager: a trained model goes in, a signed release with a bundle per hardware profile comes out.

Stands on the runtime's shared rooms (``errors`` to ``hardware``) and on nothing else of it; see `sealift_runtime`.
"""

__version__ = "0.1.0"
