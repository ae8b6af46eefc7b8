"""What happened? The facts of a run in plain types, how they are saved, and what a user writes for them."""
