"""How training scales over processes: measured here, and modelled for clusters."""
