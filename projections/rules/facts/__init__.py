"""What is known of a subject, in the form in which the rules ask for it."""
