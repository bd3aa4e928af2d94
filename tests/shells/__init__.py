"""Generated shell texts, run by Bash and dash, against what `shell_commands` lists of them."""
