"""What networks share, whoever made them: reading weights and other files of torch, and computing in tiles."""
