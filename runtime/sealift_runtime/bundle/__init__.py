"""The bundle: one model, one version, one profile; a directory that verifies offline and travels as an OCI artifact.

Reading order:

- ``limits``      every bound on what comes from outside
- ``digest``      sha256 digests of bytes and files
- ``tensors``     inputs and outputs: names, dtypes, shapes
- ``session_entries``  the one list of what may be set of an onnxruntime session
- ``profile``     a class of hardware
- ``evaluation``  accuracy, measurements, and the candidates that were tried
- ``manifest``    bundle.json, made of the above
- ``golden``      golden.safetensors: inputs and the outputs that a device must reproduce
- ``statistic``   one value per row of a tensor: a column, a summary, a class
- ``divergence``  how far two histograms are apart, and how far chance alone brings them
- ``features``    from tensors to monitored features, and from features to bin counts
- ``baseline``    baseline.json: the holdout's counts and the drift thresholds
- ``files``       which files a bundle has, and nothing else
- ``signature``   model.sig: OpenSSF Model Signing 1.0
- ``layout``      OCI image layout: blobs by digest, manifests, indexes
- ``release``     all bundles of one version, an OCI image index
- ``protobuf``    a bounded walk over a message's wire format
- ``onnx_messages``  the messages of an ONNX file, for that walk
- ``operators``   which operators a graph may use
- ``graph``       a graph can only compute: checked before onnxruntime sees it
- ``materialize`` from blobs to a directory, by hard links or copies

Never imports onnxruntime, onnx, click, or anything that opens a socket.
"""
