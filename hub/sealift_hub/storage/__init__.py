"""Where the hub remembers: one relational database, SQLite out of the box, nothing in it that forbids PostgreSQL.

Reading order:

- ``models``     the tables, as typed SQLAlchemy classes
- ``database``   opens it, brings it up to date, hands out sessions that read and sessions that write
- ``data_directory`` a hub's directory: the database, and beside it the hub's key
- ``upkeep``     removes devices, and what is older than an operator wants
- ``migrations`` the steps from one schema to the next (Alembic), shipped in the wheel and run at every start

Never imports ingest, fleet, api, dashboard or cli.
"""
