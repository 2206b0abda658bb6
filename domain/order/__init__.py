"""Homestay orders: what they cost, how they live, and how they end."""
