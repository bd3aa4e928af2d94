"""Recording as a bystander, in the order of the monitor."""
