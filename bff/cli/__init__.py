"""`homestay`: the command line."""
