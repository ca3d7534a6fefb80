"""The Open Inference Protocol v2 over HTTP, by hand: no framework between a socket and a session.

Reading order:

- ``limits``      every bound on what clients may send
- ``messages``    an inference request and its reply as values
- ``decoding``    pure: bytes to a request, checked against the model's tensors
- ``values``      pure: JSON values and raw bytes to arrays, and what is refused on the way
- ``encoding``    pure: a reply to bytes
- ``model``       a model that serves: session, codec, counters
- ``table``       which model serves under which name, and the swap
- ``documents``   pure: metadata, configuration, statistics
- ``http``        one HTTP/1.1 request and its response as values
- ``body_budget`` how many bytes of large bodies are held at once
- ``misdirected`` whether a request is meant for this server
- ``answering``   how a connection and its server speak
- ``connection``  HTTP/1.1 on a socket: keep-alive, pipelining, limits
- ``workers``     heavy requests, on threads, from one fair queue
- ``inference``   one inference, from request to response
- ``endpoints``   from a path to an answer
- ``server``      the listeners and their life

Never imports onnxruntime (``engine`` does), the update, or the agent. Protocol:
https://github.com/kserve/open-inference-protocol; binary tensors:
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.
"""
