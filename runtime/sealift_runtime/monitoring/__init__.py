"""What a served model does: requests, latencies, failures, and whether its inputs and outputs have drifted.

Reading order:

- ``counters``    running totals of one model
- ``samples``     the bounded queue between the request path and the counting: a copy, never a wait
- ``counting``    from samples to the bin counts of a baseline
- ``drift``       pure: from bin counts to a verdict per feature
- ``open_window`` a window that is still open, as it is kept on disk
- ``monitor``     one model's monitor, the server's observer
- ``prometheus``  pure: counters and drift as the text of /metrics

Never imports onnxruntime, a socket, or the server: the server hands arrays over, nothing is asked back.
"""
