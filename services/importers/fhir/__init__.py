"""FHIR R4, R4B and R5: bundles and bulk NDJSON, in which each resource becomes rows with the columns of SDTM.

Reading is lenient: one element that cannot be read is a line in the report, and the rest of its resource is read all the
same. :mod:`services.importers.consumed` sees to it that nothing is lost without a line.
"""
