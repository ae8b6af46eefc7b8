"""What several answers do alike: running a model again with other sizes."""
