"""Where does each count come from? The textbook formula with a layer's numbers put in."""
