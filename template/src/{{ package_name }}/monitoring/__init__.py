"""What the service sees and how well it does: drift, labels, performance."""
