"""Why a bundle is what it is, in sentences: ``sentences``. Pure; everything comes from bundle.json."""
