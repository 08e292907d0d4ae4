"""What a business does: each module by itself, meeting the others in events and commands only."""
