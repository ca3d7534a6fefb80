"""Measuring for a packager that trusts this device's hardware, and whose key this device trusts: off unless agent.toml says otherwise.

Reading order:

- ``policy``     what this device allows, and who may ask
- ``job_files``  the files of a job, received piece by piece, no byte more than was signed
- ``nonces``     nonces that need no memory until one is used
- ``service``    one job at a time, from the nonce to the end: what is checked before anything is done
- ``steps``      a step in a process of its own, with limits of time, memory and writing
- ``process``    what that process runs

Nothing here sees the served models, the store or the update: whoever opens the service says when it has to wait for them. The documents are in
`sealift_core.messages.measuring`. Never imports an HTTP library.
"""
