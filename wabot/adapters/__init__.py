"""What reaches the outside: each folder one kind of thing, each file one vendor's."""
