"""MODEL_CARD.md, made of the manifest: ``model_card``. Pure."""
