"""What do several answers share? Options, models and their inputs, runs at other sizes, and notes under tables."""
