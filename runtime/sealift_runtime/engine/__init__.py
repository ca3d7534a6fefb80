"""The engine: the only package that imports onnxruntime.

Reading order:

- ``facts``             which onnxruntime this is
- ``translate``         onnxruntime's exceptions become `EngineError` here and nowhere else
- ``run_limit``         runs with an end
- ``session``           a bundle directory, loaded and ready to answer
- ``graph``             a graph alone, to be measured
- ``fastpath``          repeated requests of one shape, through buffers made beforehand
- ``devices``           what a bundle's execution providers open
- ``plugin_providers``  execution providers that come as a library beside plain onnxruntime
- ``selftest``          the golden cases, run in a confined process (`sealift_core.process`), judged here
- ``selftest_process``  what that process runs

Never imports an HTTP library, asyncio or the update's state: it answers arrays with arrays.
"""
