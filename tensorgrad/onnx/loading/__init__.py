"""From a record to a Module: each node is bound to its handler, and what can't be taken is listed in one error."""
