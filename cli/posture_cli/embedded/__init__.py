"""AWS on this machine: moto, the stack of the real template, and what moto leaves out."""
