"""From a model file to a `SourceModel`: something that answers requests, whatever framework it is from.

Reading order: ``source`` (the value and its options), ``detect`` (the kind, from the content), one module per kind
(``scikit`` with ``scikit_rows``, ``scikit_answers``, ``scikit_indices``, ``skops_types``, ``unwrapped`` and ``categories``; ``boosters``;
``torch_program`` with ``torch_program_safety`` and ``torch_program_names``; ``torch_script``; ``torch_state`` with ``torch_common`` and ``dynamic``;
``onnx_file`` with ``onnx_beside`` and ``onnx_hoist``), what stands against bad files (``memory``, ``trial``, ``onnx_weights``, ``onnx_order``,
``onnx_operators``), ``registry`` (kind → loader, and `load_model`).

A framework is imported by its own module alone, when a model of its kind comes. Of ``convert`` only what reads and walks a graph comes in here.
"""
