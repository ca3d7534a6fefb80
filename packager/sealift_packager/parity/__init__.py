"""Parity: whether the converted graph answers like its source.

Reading order:

- ``inputs``   requests that break conversions
- ``compare``  two answers to one request; pure
- ``rounding`` what an output's own operator rounds by; pure
- ``digits``   which columns of a table a model needs as float64
- ``check``    sends each request to both, and stops the build if they disagree
- ``other_rows``  whether an answer to a row depends on the others
- ``scikit_steps``  which step of a scikit-learn model makes the difference

Never imports a framework: a source model answers through its `SourceModel`.
"""
