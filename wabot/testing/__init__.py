"""What an author needs to test flows without an account anywhere."""
