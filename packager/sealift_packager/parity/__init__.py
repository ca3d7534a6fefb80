"""Parity: whether the converted graph answers like its source.

Reading order:

- ``inputs``   requests that break conversions
- ``compare``  two answers to one request; pure
- ``digits``   which columns of a table a model needs as float64
- ``check``    both are asked, and the build stops if they disagree
- ``scikit_steps``  which step of a scikit-learn model it is

Never imports a framework: a source is asked through its `SourceModel`.
"""
