"""What a change of a network would do to its findings, and which remediation is proven to hold."""
