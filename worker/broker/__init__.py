"""The broker's users, brought to what the database says they should be."""
