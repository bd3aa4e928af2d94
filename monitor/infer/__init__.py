"""What each tool of an agent is: proposals for the lists of the packs, from what is known of it."""
