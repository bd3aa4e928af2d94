"""Shell commands: text to the commands that it may run."""
