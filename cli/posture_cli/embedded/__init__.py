"""An emulated AWS in this process: moto, the stack of template.yaml, and what moto lacks."""
