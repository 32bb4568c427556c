"""Makes the model that a topic pack ships, from labelled posts: `make train`. Nothing of the program imports it."""
