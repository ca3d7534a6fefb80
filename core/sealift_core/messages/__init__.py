"""The documents that cross the gap beside bundles: the channel going down, the report and its receipt coming up.

Reading order:

- ``roles``     the roles of a repository's metadata
- ``strict_tuf`` TUF metadata from JSON that says one thing only (needs python-tuf: the extra ``tuf``)
- ``medium``    the layout of a medium that carries all this
- ``kit``       what a site kit carries
- ``channel``   the version that a fleet is to run
- ``histogram`` the fixed latency buckets
- ``report``    what a device reports
- ``receipt``   what the hub answers
- ``health``    what is wrong with a device, by the signs that it or the hub has
- ``measuring`` what a packager has a device measure, and its answers
"""
