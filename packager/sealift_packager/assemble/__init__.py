"""From a chosen candidate to files.

Reading order:

- ``golden``     requests whose answers a device must reproduce
- ``baseline``   what a device's traffic is held against; ``vocabulary`` of categories, ``drift_thresholds``
- ``model_card`` MODEL_CARD.md, with what others wrote escaped by ``markdown``
- ``sbom``       sbom.cdx.json, a CycloneDX 1.6 ML-BOM; ``licenses``
- ``provenance`` provenance.json, an in-toto statement with a SLSA v1 predicate
- ``bundle``     one directory; ``rehearsal`` opens it as a device does
- ``release``    the OCI layout
- ``output``     in place, whole or not at all

Writes only inside directories that it is given.
"""
