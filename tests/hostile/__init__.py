"""Files made for mischief, and damaged ones: each is read, or refused in a line, within what its size allows."""
