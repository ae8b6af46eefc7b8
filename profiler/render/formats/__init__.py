"""One short file a format; a format's name is its file's name."""
