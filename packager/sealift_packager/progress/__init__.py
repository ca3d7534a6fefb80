"""How a build says where it is, and what it keeps libraries from.

``progress`` is drawn by a terminal and ignored by everything else, ``quiet`` silences libraries that talk, ``importing`` imports them in less time.
"""
