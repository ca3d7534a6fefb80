"""From the fp32 graph to a smaller or quicker one.

Reading order:

- ``ranges``      what calibration rows show, and three methods to make ranges of it
- ``calibration`` that, as quantizers take it
- ``registry``    precision to quantizer, and `quantize`
- ``weights``     int8 weights, fp32 compute; ``blocks`` a scale for each block of a column; ``half`` fp16
- ``onnxruntime_backend``  the adapter around onnxruntime.quantization, the only place that knows its options; ``boundary`` its failures
- ``smoothing``   activations made easier to round
- ``sensitivity``, ``node_error``  what each node loses by int8
- ``saturation``  can products overflow?
- ``editing``     small changes that several of these make to a graph
"""
