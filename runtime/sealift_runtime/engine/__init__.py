"""The only importer of onnxruntime."""
