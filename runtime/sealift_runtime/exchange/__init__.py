"""The documents that cross the gap beside bundles: the channel going down, the report and its receipt coming up.

``channel`` names the version that a fleet is to run; ``histogram`` has the fixed latency buckets; ``report`` is what a
device tells; ``receipt`` is what the hub answers; ``measuring`` is what a packager has a device measure, and its answers.
``medium`` is how all of that lies on what somebody carries; ``roles`` are those of a repository's metadata.
"""
