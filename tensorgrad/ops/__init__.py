"""The operations, one family per file: each op holds its forward, its gradient rules and the words a drawing needs."""
