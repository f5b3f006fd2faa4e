"""Records of a computation: plain data that every drawing is made from."""
