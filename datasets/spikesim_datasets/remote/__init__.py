"""Reading datasets where they lie, in an S3 bucket or on a web server, through a cache on the local disk."""
