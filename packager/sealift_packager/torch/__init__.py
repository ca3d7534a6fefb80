"""PyTorch models: read, asked, and converted. torch is imported only when one of its models comes.

Reading order:

- ``common``     arrays to tensors and back, names, free dimensions
- ``precision``  which types a module takes its inputs in
- ``program``    exported programs (``.pt2``), with ``program_safety``, ``program_names`` and ``program_types``: does reading one run code?
- ``script``     TorchScript, with ``bound`` for what of its arguments is no tensor
- ``state``      weights alone, with the function that builds the module; ``weights_file``, ``checkpoint``, ``factory`` and
  ``wrapped``
- ``export``     to ONNX by torch's own exporters, with ``trace``, ``reason``, ``recurrent``, ``plain_rnn``, ``attention``
  and ``float64``
"""
