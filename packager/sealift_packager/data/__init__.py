"""Holdout data: read, fitted to a model, or synthetic where there is none.

Reading order:

- ``files``      what is given, with its digest: ``csv`` (``csv_dialect``, ``encodings``), ``json_lines``, ``parquet`` and ``feather`` (``arrow``),
  ``.npz``, or a folder of ``images``
- ``example``    one whole request, for parity
- ``limits``     how much a file may hold
- ``function``   data that a person's own function gives
- ``holdout``    rows as a model takes them; ``ranges`` numbers that its types can't hold; ``pixels`` images as it takes them
- ``names``      of a table's columns, and advice about others
- ``oddities``   columns without a value, constant ones, few rows: in sentences
- ``left_out``   rows that the source model itself refuses, where they are few; ``gaps`` those without a number; ``refusal`` where they are many
- ``anonymized``  rows that are like the data's, without any of them

Never imports a training framework.
"""
