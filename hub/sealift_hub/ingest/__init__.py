"""Takes reports in: verifies each, and keeps exactly the longest verified prefix of what a device told.

Reading order:

- ``decision``    pure: may this report join the chain?
- ``projection``  pure: a report as rows, and the totals of a model's last day
- ``intake``      the shell: one report or enrolment, one transaction
- ``medium``      a whole medium that came back from an air-gapped site

Never imports api, dashboard or cli.
"""
