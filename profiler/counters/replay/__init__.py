"""What the replicas of other counters share."""
