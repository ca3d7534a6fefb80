"""Serves the vendor's repository as static files: a directory in, the bytes that devices fetch out.

- ``files``  pure: which paths of a repository are public, which bytes a Range header asks for
- ``serve``  the HTTP answers: Range, ETag, caching

What a device fetches is signed, so the hub adds no trust here and needs none. Never imports storage or ingest.
"""
