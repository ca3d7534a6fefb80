"""The TUF publisher: a directory of static files that devices trust by its metadata alone.

Layout: an OCI image layout (``oci-layout``, ``index.json``, ``blobs/sha256/…``) with ``metadata/`` beside, in TUF's
consistent-snapshot form: ``N.root.json``, ``root.json`` (a copy of the newest), ``N.snapshot.json``, ``N.targets.json``,
``N.channels.json``, and ``timestamp.json``, whose replacement is what publishes.

Reading order:

- ``roles``        the five roles, and how long each one's word is good
- ``keyring``      the keys of the roles, in a folder that is never inside the repository
- ``metadata``     pure: metadata in, checked as a client would
- ``drafts``       pure: the next metadata, whose signatures it has and lacks, the files that publish it
- ``rotation``     pure: other keys and thresholds
- ``request``      a draft in a file, for people who sign elsewhere
- ``directory``    the repository on disk
- ``new_folder``   a folder that appears whole, also as the root of a medium
- ``publication``  drafts become files, or a request
- ``intake``       is a release what its maker signed; then copies of its blobs
- ``releases``     which releases are published, which were withdrawn
- ``publisher``    init, add, refresh
- ``channels``     promote, demote, remove a channel
- ``withdrawal``   withdraw a release
- ``signing_clock``  can the clock be right that is signed by
- ``ceremony``     rotate, revoke, publish what several people signed
- ``check``        every byte against what was signed
- ``status``       roles, releases and channels as they stand, and what grows stale

Never imports click, onnxruntime, onnx, or another package of the packager but ``errors`` and ``passphrase``.
"""
