"""In which formats can an answer be written? One short file a format, whose name is the format's."""
