"""The site kit: one medium with all that a site without a network needs.

::

    SHA256SUMS   the digest of every other file
    README.txt   what to do
    install.sh   verifies the medium, then installs and initialises the agent
    root.json    the root of trust
    repository/  a whole TUF repository with the blobs of the chosen releases only
    wheels/      the agent and what it depends on, for the target's platform

Building a kit may use the network (for wheels, through pip's own settings) or a local folder of wheels; using one asks
nothing of any network. There are no symlinks, and every name is one that FAT can hold.

Reading order:

- ``selection``  which releases go along, and so which blobs
- ``platforms``  pure: which platform tags a machine can use, which libc some wheels need
- ``installed``  a wheel made again from what is installed here
- ``own_wheels``  where our own wheels come from
- ``tested``     the versions that an agent was tested with
- ``run_pip``    pip, as a process
- ``wheels``     the agent's wheels, through pip, and which Pythons and machines they fit
- ``requirements``  every wheel that one Python needs, by version and digest
- ``installer``  install.sh and README.txt
- ``build``      puts the medium together, checks it, and only then gives it its name

Never imports click, onnxruntime, or onnx; of the packager's packages only ``errors`` and ``repository``.
"""
