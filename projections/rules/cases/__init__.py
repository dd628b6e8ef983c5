"""One module for each kind of case, how it is evaluated, and the assessment of them all."""
