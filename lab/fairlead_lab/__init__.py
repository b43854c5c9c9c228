"""Simulated physical clusters: our server in its ``cluster`` profile, and a player of nodes and pods as its client."""
