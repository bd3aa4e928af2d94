"""A loaded program: an event and a state in, verdicts and the next state out."""
