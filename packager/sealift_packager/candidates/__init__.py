"""A candidate and what becomes of it, as values.

Reading order:

- ``candidate``     what is to be tried; ``from_profile`` what a profile wants tried
- ``judgement``     how it answers the holdout, and the accuracy gate
- ``figures``       how fast it is, and what it takes
- ``result``        all that is known of it: `CandidateResult`, or `NotBuilt`

Pure; knows nothing of the tools that build, judge or measure a candidate.
"""
