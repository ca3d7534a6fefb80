"""Keys, and the DSSE envelope around everything that Sealift signs.

``keys`` makes, loads and names ECDSA keys; ``dsse`` wraps a payload in an envelope and opens one, checking before
anything of the payload is parsed.
"""
