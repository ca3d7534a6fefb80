"""The pages for people: rendered on the server, no script, no build step, nothing from elsewhere.

Reading order:

- ``formatting``  numbers and times as people read them
- ``charts``      pure: values in, coordinates of small SVG charts out
- ``pages``       the routes: a question to `fleet`, a template

The HTML is in ``templates``, the one style sheet (light and dark) in ``assets``.

Never imports api, ingest's shell or cli.
"""
