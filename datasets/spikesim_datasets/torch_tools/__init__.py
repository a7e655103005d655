"""What networks share, whoever made them: reading weights, and computing large images in tiles."""
