"""From what a channel names to what serves: fetch, verify, stage, self-test, activate, probation, commit.

Every step is a row of one persisted table; a crash anywhere leads back into it. At every instant the old or the new
bundle is what the database names as current, and what the desired state names to the data plane: never neither, never a
mixture.

Reading order:

- ``table``         the transition table, as data
- ``policy``        what a site decides: limits, thresholds, which channel
- ``records``       what the database remembers, as values
- ``ledger``        the hash chain over events
- ``schema``        the database's tables
- ``encoding``      an update as the database's JSON
- ``state``         the database
- ``lock``          one process at a time
- ``trust_folder``  verified metadata on disk
- ``refresh``       metadata from a transport, through the rules of ``trust``
- ``noted``         releases that are told of once: withdrawn ones, those that a kit lacks
- ``left_out``      what a site kit was built without
- ``select``        pure: which bundle of a release, and are its requirements met
- ``probation``     pure: commit, wait, or roll back
- ``client_limits`` pure: how much clients may ask of the data plane
- ``desired``       pure: the document of the desired state, all that the data plane needs of the control plane
- ``desired_file``  that document on disk
- ``data_plane``    what the updater needs of a running data plane
- ``publishing``    the desired state on its way to the data plane
- ``installed``     is what is installed, to the last byte, what its release says
- ``context``       what the steps share, and the two bad ends
- ``recovery``      what to do with an installed bundle that was damaged
- ``steps``         one function per state
- ``updater``       all of it: refresh, plan, advance, rollback, recover

Never imports serving or agent; what serves is behind the Protocol in ``data_plane``.
"""
