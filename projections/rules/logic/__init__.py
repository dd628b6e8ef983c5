"""What the rules are made of: truth with reasons, lengths of time, wording, and what a protocol consists of."""
