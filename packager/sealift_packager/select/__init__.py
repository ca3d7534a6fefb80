"""Which candidate ships, and why the others don't: ``assessed`` (what is known of one), ``objectives`` (a registry), ``choose`` (the decision).

Pure: figures in, a choice with reasons out.
"""
