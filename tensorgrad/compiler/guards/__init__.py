"""What a function reads besides its arguments: found by a traversal, compared before each replay."""
