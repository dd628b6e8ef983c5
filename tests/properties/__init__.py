"""What must hold of any timeline: the fold against a slow evaluation, order of arrival, passing time, alerts."""
