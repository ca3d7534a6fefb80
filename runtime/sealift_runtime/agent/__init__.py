"""The agent: wires the parts and owns the processes.

Reading order:

- ``home``           where everything of one device lives; ``private_home``, that it is one user's alone
- ``config``         agent.toml
- ``initialise``     from an empty directory to a device with a key and a root of trust
- ``device``         store, state, updater and spool of one home, put together; ``updating`` its updater
- ``lock``           one process of a kind for each home
- ``logs``           what these processes log, and how
- ``data_plane``     the process that serves: sessions, HTTP, monitoring
- ``serving_limits`` from agent.toml's limits on clients to the server's
- ``monitors``       the data plane's monitors, one for each served model
- ``trials``         new versions beside the ones before them
- ``window_journal`` what the monitors keep on disk
- ``admin_routes``   what the data plane answers on its private socket; ``admin_client``, ``unix_http`` the other side
- ``server_info``    where the data plane listens
- ``measuring_routes``  what it answers to a packager that has candidates measured here
- ``control_plane``  the process that updates and reports, in a loop
- ``supervisor``     the process that keeps those two alive; ``parent`` how they notice that it is gone
- ``standing``       how each model stands to its channel: one answer for status, sync, doctor and reports
- ``reporting``      what a device reports: gathered, sealed, sent; ``hub_trouble`` why the hub doesn't take it
- ``sending``        on a thread of its own, cut when it takes too long
- ``health``         what is wrong with this device, in the hub's terms
- ``ask``            a model asked from the command line
- ``faults``         what fails beside the request path: contained, counted, told
- ``doctor``, ``telemetry``  what ``doctor`` looks at

Neither plane waits for the other, and each is restarted alone. The control plane has the state database; the data plane has
one document of the desired state, which it finds on disk and is sent over a unix socket.
"""
