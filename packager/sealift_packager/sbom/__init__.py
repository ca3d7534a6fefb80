"""sbom.cdx.json: the bundle as a CycloneDX 1.6 ML-BOM.

``bom`` (the document: the model with its card, its files, its data by digest, and the tools that transformed it), ``licenses`` (which names are
SPDX identifiers). Plain JSON, written by us; the tests hold it against the schema with CycloneDX's own library. Pure.
"""
