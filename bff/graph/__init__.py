"""What clients see: the fields, what they are made of, and how they are told. Nothing here knows HTTP."""
