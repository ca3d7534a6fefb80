"""One inference, whatever asked for it: arrays in, arrays out, by the model of that name. No transport in it.

Reading order:

- ``limits``     how many requests may wait, and which are quick enough not to
- ``messages``   a request, its reply, and why there is none, as values
- ``signature``  pure: what a model takes and gives, and whether arrays fit it
- ``model``      a model that serves: session, signature, counters
- ``table``      which model serves under which name, and the swap
- ``trial``      a new version beside the one before it, asked the same
- ``trial_counts``  what it finds out
- ``workers``    heavy requests, on threads, from one queue per model
- ``failure_log``  which requests a model failed, told to the log
- ``execution``  one request, run and counted
- ``service``    `InferenceService`: what codecs, connectors and programs call

A codec (`serving` is the one for HTTP) turns bytes into an `InferRequest` and an `InferReply` into bytes; it hands both steps over as
a `Call`, so that a worker does them, too. A program has arrays already and calls `InferenceService.infer`.

Never imports a codec, a socket or an HTTP library; asyncio only where workers hand their results back.
"""
