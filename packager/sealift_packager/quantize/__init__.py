"""From the fp32 graph to an int8 one.

Reading order: ``calibration`` (which rows), ``registry`` (precision → quantizer, and `build_candidate`), ``onnxruntime_backend`` (the adapter
around onnxruntime.quantization: the only place that knows its options and failures).
"""
