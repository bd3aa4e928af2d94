"""Records to events in one order: decode, merge, provenance, watermarks, sequence."""
