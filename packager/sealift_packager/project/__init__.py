"""Many models × many profiles from one file: ``sealift build``.

Reading order:

- ``job``      one model to pack, as a value that travels to a worker, and the outcome that comes back
- ``file``     the project file → jobs
- ``unasked``  what a project file may say that nobody named
- ``work``     a job done: what every worker runs
- ``executor`` the seam: jobs in, outcomes out, whatever runs them
- ``worker``   a process of its own for one job: ``python -m sealift_packager.project.worker``
- ``job_log``  what such a process logs, told again in the log of the one that started it
- ``local``    workers on this machine
- ``on_ray``   workers on an existing Ray cluster (extra ``ray``)

A job's bytes follow from the job alone, so it doesn't matter who does it. This package packs by
`sealift_packager.build.pipeline` and knows nothing of how.
"""
