"""The files of a new project, and the lines that connect its framework."""
