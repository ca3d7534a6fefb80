"""From the fp32 graph to a smaller or quicker one.

Reading order: ``ranges`` (what calibration rows show, and three methods to make ranges of it), ``calibration`` (that, as quantizers take it),
``registry`` (precision → quantizer, and `build_candidate`), ``weights`` (int8 weights, fp32 compute), ``onnxruntime_backend`` (the adapter around
onnxruntime.quantization: the only place that knows its options and failures), ``sensitivity`` (what each node loses by int8), ``saturation`` (can
products overflow?).
"""
