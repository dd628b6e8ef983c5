"""The folds: from events, one by one, to charts, standing findings and the cohort board. Pure."""
