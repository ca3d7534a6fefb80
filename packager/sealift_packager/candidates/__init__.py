"""What is tried for a profile, as values: ``spec`` (`CandidateSpec`), ``from_profile`` (profile → specs), ``built`` (a spec with its graph).

Pure; knows nothing of the tools that build a candidate.
"""
