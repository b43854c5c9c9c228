"""What is given out to Services: addresses of the cluster, and ports of its nodes."""
