"""Sources for a bystander, who commits nothing."""
