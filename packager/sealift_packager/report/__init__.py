"""What a build found, for people and for machines: report.html and report.json.

Reading order: ``facts`` (a build as plain data: what report.json is), ``sentences`` (why a bundle is what it is), ``plots`` (SVG made of numbers),
``page`` (the HTML around them), ``write``. The page is one file that loads nothing; the same build gives the same bytes. Pure but for ``write``.
"""
