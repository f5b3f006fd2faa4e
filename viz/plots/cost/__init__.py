"""The cost over one weight or a plane of parameters."""
