"""provenance.json: how a bundle came to be, as an in-toto statement with a SLSA v1 provenance predicate: ``statement``. Pure."""
