"""How answers are shown: tables for people, JSON and CSV for machines. Only here is printed."""
