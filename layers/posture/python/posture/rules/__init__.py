"""What ought to hold: one family a module, each rule a pure function with metadata."""
