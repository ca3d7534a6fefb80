"""The bundle: one model, one version, one profile; a directory that verifies offline and travels as an OCI artifact.

Reading order:

- ``limits``      every bound on what comes from outside
- ``digest``      sha256 digests of bytes and files
- ``tensors``     inputs and outputs: names, dtypes, shapes
- ``evaluation``  accuracy, measurements, and the candidates that were tried
- ``manifest``    bundle.json, made of the above
- ``golden``      golden.safetensors: inputs and the outputs that a device must reproduce; ``comparison`` whether it did
- ``shapes``      a graph, a request and an answer, held against the manifest's inputs and outputs
- ``files``       which files a bundle has, and nothing else
- ``signature``   model.sig: OpenSSF Model Signing 1.0
- ``layout``      OCI image layout: blobs by digest, manifests, indexes
- ``release``     all bundles of one version, an OCI image index

Never imports onnxruntime, onnx, click, or anything that opens a socket.
"""
