"""How a build says where it is: ``progress`` (a terminal draws it, everything else ignores it) and ``quiet`` (libraries that talk, silenced)."""
