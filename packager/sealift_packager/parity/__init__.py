"""Does the converted graph answer like its source? ``compare`` decides (pure), ``inputs`` makes what is hard, ``check`` asks both.

Never imports a framework: a source is asked through its `SourceModel`.
"""
