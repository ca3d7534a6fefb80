"""The agent: wires the parts and owns the processes.

Reading order:

- ``home``           where everything of one device lives
- ``config``         agent.toml
- ``initialise``     from an empty directory to a device with a key and a root of trust
- ``wiring``         builds store, state, updater and spool for a home
- ``data_plane``     the process that serves: sessions, HTTP, monitoring
- ``admin``          what the data plane answers on its private socket, and the client of it
- ``measuring_routes``  what it answers to a packager that has candidates measured here
- ``control_plane``  the process that updates and reports, in a loop
- ``supervisor``     the process that keeps those two alive
- ``checkup``, ``telemetry``  what ``doctor`` looks at

Neither plane waits for the other: they share the state database and a unix socket, and each is restarted alone.
"""
