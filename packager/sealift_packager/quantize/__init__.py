"""From the fp32 graph to a smaller or quicker one.

Reading order:

- ``ranges``      histograms of activations from calibration rows, and three methods that make ranges of them
- ``calibration`` both, in the form that quantizers take
- ``registry``    precision to quantizer, and `quantize`
- ``weights``     int8 weights, fp32 compute; ``blocks`` a scale for each block of a column; ``half`` fp16
- ``onnxruntime_backend``  the adapter around onnxruntime.quantization, the only place that knows its options; ``translate`` its failures
- ``smoothing``   activations made easier to round
- ``sensitivity``, ``node_error``  what each node loses by int8
- ``scales``      which convolutions share one scale, and zero points that needn't be there
- ``saturation``  can products overflow?
- ``editing``     small changes that several of these make to a graph
"""
