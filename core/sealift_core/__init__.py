"""Sealift's core: what crosses the gap between packager, hub and device, and how it is proven. Nothing else.

Packages and modules, lowest layer first; each imports only those above it in this list (import-linter holds that):

- ``errors``      every error, one tree
- ``clock``       time as an argument
- ``terminal``    the commands' common side: exit codes, printing, escaping what others wrote
- ``beneath``     reading files that somebody else wrote: no links, no pipes, bounded
- ``durable``     writes that survive a power cut, on media too
- ``disk_room``   whether files fit on a disk, before the first byte is written
- ``schema``      typed getters that turn JSON or TOML into values, bounded, with paths in their errors
- ``http``        addresses, host names, and a session with one server
- ``onnxruntime_environment``  the variables that onnxruntime is imported with
- ``process``     a child process under limits, behind walls
- ``timing``      paired and interleaved measurement
- ``signing``     keys, and the DSSE envelope around everything that is signed
- ``session_entries``  the one list of what may be set of an onnxruntime session
- ``hardware``    facts of a machine, profiles, and which profile fits
- ``bundle``      the format: manifest, files, digests, signature, OCI layout, release
- ``drift``       features, statistics, baseline and distances: pure
- ``verify``      the proof of a bundle: its signature, its files, and a graph that can only compute
- ``messages``    the documents that cross the gap beside bundles: channel, report, receipt, remote benchmark

The packager, the runtime and the hub stand on this package and never on each other. It imports neither onnx nor onnxruntime, and opens a
connection only where ``http.http_session`` is asked to.
"""

from sealift_core.onnxruntime_environment import prepare

__version__ = "0.1.0"

prepare()  # whatever is imported of this package or of the three that stand on it, this comes first
