"""A plausible trial that never happened, with the truth it was meant to show.

The simulator decides each subject's story first and writes down what a correct watcher must say at given instants; then it
writes the events that tell the story. It imports nothing of the rules, so that the two can be held against each other.
"""
