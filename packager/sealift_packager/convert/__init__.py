"""From a `SourceModel` to an ONNX graph in one tidy form.

Reading order: ``graph`` (specs, names, what every graph is cleaned of), ``result``, one module per kind (``scikit`` with
``missing_values``, ``torch_trace`` and ``torch_export``, ``onnx_as_is``), ``registry`` (kind → converter, and `convert_model`).

Never looks at data; whether the graph answers like its source is ``parity``'s to say.
"""
