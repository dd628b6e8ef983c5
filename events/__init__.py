"""The words of the trial: every event as a model, its codec and its rules. Imports nothing else of ours."""
