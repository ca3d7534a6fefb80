"""What can be asked about the fleet: frozen values, read from the database, that the API and the pages show alike.

Reading order:

- ``views``    the values
- ``health``   what is wrong with a device
- ``queries``  the questions

Never imports ingest's shell, api, dashboard or cli.
"""
