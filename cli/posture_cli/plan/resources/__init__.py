"""The resources of a planned region, each as EC2 would create it, by kind."""
