"""What does this counter count, its mistakes included, and how is it called? One file a counter."""
