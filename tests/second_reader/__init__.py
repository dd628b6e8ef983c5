"""A second evaluator of the specification, written plainly from its text by somebody who had not read the first.

It re-reads the whole record for every question, keeps nothing, and imports nothing of ``projections.rules``. Where it and the
product differ on a random timeline, the specification decides; what it leaves open is a row of ``docs/readings.md``.
"""
