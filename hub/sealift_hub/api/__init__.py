"""The hub's HTTP side.

Reading order:

- ``app``       puts the parts together
- ``devices``   ``/api/v1/devices``: enrolment, reports, what is known
- ``bodies``    request bodies, bounded in bytes and seconds
- ``problems``  every error as ``{"error": …}``, with its status
- ``headers``   what browsers are told: no scripts, no frames, no guessing
- ``schemas``   the answers as OpenAPI describes them
- ``server``    listens, and ends gracefully

Endpoints that touch the database or the disk are plain functions: they run in the thread pool, and the event loop never
waits for them.
"""
