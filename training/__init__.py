"""Makes the model that a topic pack ships, from labelled posts: `make train`; nothing of the program imports it."""
