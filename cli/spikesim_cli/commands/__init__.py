"""One module a command, or a family of commands; the group finds them by name."""
