"""How is a chart drawn? One file a kind of chart; they know plain data, and matplotlib when one is drawn."""
