"""Holdout data: read, fitted to a model, or made up where there is none.

Reading order: ``files`` (what is given, with its digest: ``.npz``; ``csv``; ``parquet``; ``images``, a folder), ``function`` (a person's own),
``holdout`` (as a model takes it), ``pixels`` (images as it takes them), ``alike`` (rows that are nobody's).

Never imports a training framework.
"""
