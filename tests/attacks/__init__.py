"""Attacks on a device that serves, as one report: what was tried, what the agent did, and what its clients had meanwhile.

``python -m attacks [SIDE …]`` prints the report; `make attacks` calls it. Every attack meets the installed command, its real processes and real
sockets.

In reading order:

- ``attack``    one attack, and the register of all
- ``site``      the device under attack: its repository, its hub, and a client who means well all the while
- ``clients``   attacks by whoever reaches the server
- ``servers``   by whoever answers for the repository
- ``media``     by whoever wrote the stick
- ``clocks``    by wrong times, with stolen keys and without
- ``keys``      by thieves of keys
- ``hubs``      by whoever answers for the hub
"""
