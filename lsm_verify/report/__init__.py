"""One result model, rendered for people and machines."""
