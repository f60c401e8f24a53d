"""Changes that may mend a diagnostic: what its help says to write, in the places that it may belong to."""
