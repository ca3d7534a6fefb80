"""MODEL_CARD.md, made of the manifest: ``model_card``, with what others wrote escaped by ``markdown``. Pure."""
