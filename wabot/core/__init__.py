"""Values and ports that every layer shares."""
