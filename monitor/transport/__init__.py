"""Sources and publishers: protocols, addresses, and one folder for each kind."""
