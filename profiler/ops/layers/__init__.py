"""What is a kind of layer: its words in a table, its textbook parameters? One file a family; `kind` registers them."""
