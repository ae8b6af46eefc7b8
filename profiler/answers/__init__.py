"""What was asked? One package a question: `compute` finds the answer, `table` writes it down."""
