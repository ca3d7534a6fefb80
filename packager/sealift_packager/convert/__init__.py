"""From a `SourceModel` to an ONNX graph in one tidy form.

Reading order: ``walk`` (the parts of a model), ``graph`` (specs, names, what every graph is cleaned of), ``bounds`` (what every graph must keep to),
``result``, one module per kind (``scikit`` with ``prepared`` and ``one_hot``, ``trees``, ``torch_export``, ``onnx_as_is``), ``registry``
(kind → converter, and `convert_model`). ``onnxruntime_kernels`` says which onnxruntime a finished graph needs.

Never looks at data; whether the graph answers like its source is ``parity``'s to say.
"""
