"""Where bytes come from: a web server, or a directory such as a medium.

Whoever fetches decides what the bytes must be (a digest, a signature); this package only brings them, bounded and
resumable, and says clearly why it can't.

Reading order:

- ``base``       the Protocol, safe paths, and reading a small file within a bound
- ``rate``       when a download is too slow to go on
- ``http``       HTTP and HTTPS: resume, retries, timeouts
- ``directory``  a directory or a medium: nothing outside of it
- ``locate``     from what a person wrote to a transport

Never imports the store, trust, or anything that decides what is to be fetched.
"""
