"""Ways to a contact."""
