"""scikit-learn's classes as plain operators, where skl2onnx has none or computes otherwise. ``registry`` has them all.

- Linear algebra and functions: ``linear``, ``kernels``, ``functions``, ``transformed``, ``reshaped``, ``support``
- Neighbours: ``distances``, ``neighbors``, ``radius``, ``k_means``, ``neighbor_imputer``
- Preparation: ``bins``, ``bits``, ``encoders``, ``imputer``, ``selected``, ``text`` (``token_patterns``)
- Models made of others: ``columns`` (of a table, and pipelines), ``averages``, ``calibrated``, ``members``, ``inner_trees``
"""
