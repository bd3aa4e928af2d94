"""A proxy between a client and a server of MCP, which asks a gate before each call of a tool."""
