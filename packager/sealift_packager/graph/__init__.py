"""ONNX graphs: read, walk, tidy, edit and run them.

Reading order:

- ``walk``        the parts of a model, subgraphs and functions included
- ``tensors``, ``weights``  a graph's weights, in the graph or in files beside it
- ``content``     what a file or a folder is, by content
- ``graph``       one tidy form: named free dimensions, fresh shape inference
- ``bounds``      what every graph must keep to
- ``onnxruntime_kernels``  the onnxruntime that a graph needs
- ``nodes``       nodes and initializers of a part of a graph, collected one by one
- ``gelu``, ``residual``  rewrites that keep what is computed and run quicker
- ``session``     the only place of the packager that opens onnxruntime's sessions (``settings``: how one runs)
- ``result``      what a conversion gives
- ``columns``     an input for each column in place of one array
- ``answered``    the shapes that it gives in place of those that it declares
- ``labels``      labels of classifiers in one form
- ``tree_writer`` tree ensembles as ONNX
"""
