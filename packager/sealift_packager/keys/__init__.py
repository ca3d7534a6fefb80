"""Private keys: ``passphrase`` (which are tried, and who is asked) and ``key_file`` (known to be usable before any long work, loaded to sign)."""
