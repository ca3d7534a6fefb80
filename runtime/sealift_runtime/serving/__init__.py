"""The Open Inference Protocol v2 over HTTP, by hand: a codec and a server over `inference`, and no framework between a socket and a session.

Reading order:

- ``limits``      every bound on what clients may send
- ``decoding``    pure: bytes to a request, checked against the model's signature
- ``values``      pure: JSON values and raw bytes to arrays, and what is refused on the way
- ``number_runs`` pure: long lists of numbers in JSON, read in slices
- ``encoding``    pure: a reply to bytes
- ``documents``   pure: metadata, configuration, statistics
- ``http``        one HTTP/1.1 request and its response as values
- ``byte_budget`` how many bytes of bodies and answers are held at once
- ``pace``        whether a client sends or reads quickly enough
- ``misdirected`` whether a request is meant for this server
- ``answering``   how a connection and its server speak
- ``connection``  HTTP/1.1 on a socket: keep-alive, pipelining, limits
- ``calls``       one inference over HTTP, as the service wants it
- ``endpoints``   from a path to an answer
- ``server``      the listeners and their life

Never imports onnxruntime (``engine`` does), the update, or the agent. Protocol:
https://github.com/kserve/open-inference-protocol; binary tensors:
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.
"""
