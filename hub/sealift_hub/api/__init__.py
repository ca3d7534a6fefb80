"""The hub's HTTP side.

Reading order:

- ``app``       puts the parts together
- ``devices``   ``/api/v1/devices``: enrolment, reports, what is known
- ``bodies``    request bodies, bounded in bytes and seconds
- ``protocol``  everything else of a request, bounded, too
- ``hosts``     the names under which the hub answers
- ``problems``  every error as ``{"error": …}``, with its status
- ``head``      HEAD for what has GET
- ``headers``   what browsers are told: no scripts, no frames, no guessing
- ``pruning``   what is older than hub.toml wants goes
- ``schemas``   the answers as OpenAPI describes them
- ``server``    listens, and ends gracefully

Endpoints that touch the database or the disk run in the thread pool, and the event loop never waits for them; those that take
what devices send have few of its threads, so that readers always find one.
"""
