"""scikit-learn's classes as plain operators, where skl2onnx has none or computes otherwise. ``registry`` has them all.

- Linear algebra: ``linear``, ``logistic`` (``shares``), ``kernels``, ``gaussian``, ``reshaped``, ``support``
- Functions: ``functions``, ``normal``, ``powers``, ``products``, ``transformed``
- Neighbours: ``distances``, ``neighbors``, ``radius``, ``k_means``, ``centroids``, ``neighbor_imputer``
- Preparation: ``bins``, ``bits``, ``encoders``, ``gaps``, ``imputer``, ``norms``, ``selected``, ``splines``, ``quantiles`` (``places``)
- Steps of other libraries: ``table_steps``
- Text: ``text`` (``token_patterns``)
- Models made of others: ``columns`` (of a table, and pipelines), ``averages``, ``calibrated``, ``members``, ``stacks``, ``thresholds``, ``targets``
- Trees within others: ``inner_trees``
"""
