"""Running points: the client, the fork server, its children, and what watches over them."""
