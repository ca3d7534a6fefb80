"""A build: from a request to a sealed release.

Reading order:

- ``request``        what is asked of a build, checked at the door
- ``in_memory_data``, ``data_functions``  data that is in memory, or that a function gives, written to a file
- ``pipeline``       a trained model goes in, a bundle for each profile comes out
- ``context``        what all profiles of a release have in common
- ``profile_build``  one profile's bundle: candidates, figures, choice, directory; ``profile_result`` as a value
- ``story``          what the log says of candidates and the choice among them
- ``keys``           the stages, each with what its result depends on: content, never names or times
- ``manifest``       bundle.json from what the build found
- ``packed``         what a build gives
- ``sealing``        the release is signed, when nothing is built any more
- ``isolated``       a build by a worker: an unknown model is read and run there, and the signing key is never there
- ``tasks``, ``files``  what a worker is given to do, and what it may read
- ``worker``         the worker's own side; ``remote`` asks for what it can't do, ``services`` does it, ``worker_result`` is what it gives

Where a person's own code is to run (``--trust-pickle``, ``--factory``, a function that gives the data) the worker has no walls, for that code may
need anything; it runs in a process without the key all the same.
"""
